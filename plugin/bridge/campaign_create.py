"""A plan becomes a store: an empty GeoPackage or schema, the migrations, the first rows."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
from qgis.core import QgsCoordinateReferenceSystem

from ..engine.campaign import content
from ..engine.campaign.values import Plan
from ..engine.errors import ConcordError
from ..engine.files import atomic_file
from . import campaign_acts as acts
from . import campaign_rights, campaign_schema
from .campaign_db import Address, FileDatabase, ServerDatabase
from .capture import qgis_crs

_SYSTEM = (
    """create table gpkg_spatial_ref_sys (srs_name text not null, srs_id integer primary key,
        organization text not null, organization_coordsys_id integer not null,
        definition text not null, description text)""",
    """create table gpkg_contents (table_name text not null primary key, data_type text not null,
        identifier text unique, description text default '', last_change datetime not null
        default (strftime('%Y-%m-%dT%H:%M:%fZ','now')), min_x double, min_y double, max_x double,
        max_y double, srs_id integer references gpkg_spatial_ref_sys (srs_id))""",
    """create table gpkg_geometry_columns (table_name text not null, column_name text not null,
        geometry_type_name text not null, srs_id integer not null, z tinyint not null,
        m tinyint not null, primary key (table_name, column_name),
        foreign key (srs_id) references gpkg_spatial_ref_sys (srs_id),
        foreign key (table_name) references gpkg_contents (table_name))""",
)
_NOWHERE = ((-1, "Undefined cartesian SRS"), (0, "Undefined geographic SRS"))


def srid_of(crs: QgsCoordinateReferenceSystem) -> int:
    """The EPSG number, 0 when the CRS has none."""
    authority, _, code = crs.authid().partition(":")
    return int(code) if authority == "EPSG" and code.isdigit() else 0


def empty_geopackage(database: FileDatabase, crs: QgsCoordinateReferenceSystem) -> int:
    """Write what makes a file a GeoPackage; returns the id of the CRS in it."""
    srid = srid_of(crs) or (100000 if crs.isValid() else -1)
    with database.transaction():
        database.run("pragma application_id = 1196444487")  # "GPKG"
        database.run("pragma user_version = 10300")
        for statement in _SYSTEM:
            database.run(statement)
        sql = "insert into gpkg_spatial_ref_sys values (:name, :id, :org, :code, :text, '')"
        for number, name in _NOWHERE:
            database.run(sql, name=name, id=number, org="NONE", code=number, text="undefined")
        if srid != -1:
            database.run(
                sql, name=crs.description() or "CRS", id=srid,
                org="EPSG" if srid_of(crs) else "NONE", code=srid, text=crs.toWkt(),
            )  # fmt: skip
    return srid


def create(where: Address, plan: Plan) -> None:
    """Make the store and fill it; an existing file or campaign is refused, never overwritten.

    Raises:
        ConcordError: it exists already, or cannot be written.
    """
    crs = qgis_crs(plan.settings.grid.crs)
    if where.kind == "file":
        path = Path(where.target)
        if path.exists():
            raise ConcordError(f"{path} exists already; choose another name for the campaign.")
        with atomic_file(path) as temporary:
            temporary.unlink()  # SQLite must find no empty file of another kind
            _fill_file(temporary, crs, plan)
        return
    database = ServerDatabase(where.target, where.schema)
    try:
        with database.transaction():
            _make_schema(database)
            campaign_schema.migrate(database, srid_of(crs))
            _fill(database, plan, srid_of(crs), _account(database))
            _admit(database, plan)
    finally:
        database.close()


def _fill_file(path: Path, crs, plan: Plan) -> None:
    try:
        database = FileDatabase(str(path), create=True)
    except sqlite3.Error as error:
        raise ConcordError(
            f"{path.parent} cannot be written; choose another folder for the campaign."
        ) from error
    try:
        srid = empty_geopackage(database, crs)
        with database.transaction():
            campaign_schema.migrate(database, srid)
            _fill(database, plan, srid, "")
    finally:
        database.close()


def _make_schema(database: ServerDatabase) -> None:
    if database.run("select 1 from pg_namespace where nspname = :n", n=database.schema):
        raise ConcordError(
            f"The schema {database.schema} exists already; name another: CONNECTION/SCHEMA."
        )
    if not database.run("select 1 from pg_extension where extname = 'postgis'"):
        raise ConcordError(
            "The database has no PostGIS; ask its owner to run CREATE EXTENSION postgis."
        )
    database.run(f"create schema {database.identifier(database.schema)}")


def _account(database: ServerDatabase) -> str:
    return database.run("select session_user::text")[0][0]


def _fill(database, plan: Plan, srid: int, account: str) -> None:
    settings = plan.settings.as_json()
    rows = {
        "settings": json.dumps(settings),
        "stages": str(plan.settings.stages),
        "reveal": plan.settings.reveal,
        "id": acts.new_id(),
        "notes": json.dumps(plan.notes),
    }
    database.many(
        "insert into campaign (key, value) values (:key, :value)",
        [{"key": key, "value": value} for key, value in rows.items()],
    )
    people = list(plan.people)
    leads = {p.name for p in people if p.role == "lead"}
    database.many(
        "insert into person (name, role, kind, account) values (:name, :role, :kind, :account)",
        [
            {"name": p.name, "role": p.role, "kind": p.kind,
             "account": (account if p.role == "lead" else p.name) if account else None}
            for p in people
        ],
    )  # fmt: skip
    shape = "ST_GeomFromWKB(:geom, :srid)" if database.kind == "server" else ":geom"
    database.many(
        "insert into task (id, geom, place, col_off, row_off, width, height, stratum, score, "
        f"copies, handed, state, stage) values (:id, {shape}, :place, :col, :row, :width, "
        ":height, :stratum, :score, :copies, :handed, 'open', 0)",
        (_task_row(database, plan, task, srid) for task in plan.tasks),
    )
    database.many(
        "insert into assignment (task_id, person, position, state, seconds, flag, reason) values "
        "(:task, :person, :position, 'open', 0, '', '')",
        _assignments(plan),
    )
    database.many(
        "insert into gold (task_id, mask) values (:task, :mask)",
        [{"task": task, "mask": content.pack(mask)} for task, mask in plan.gold.items()],
    )
    database.run(
        "insert into event (id, created, person, action, subject, detail) values "
        "(:id, :now, :who, 'created', '', :detail)",
        id=acts.new_id(), now=acts.now(), who=next(iter(leads), ""),
        detail=f"{len(plan.tasks)} tasks, {len(people)} people",
    )  # fmt: skip


def _task_row(database, plan: Plan, task, srid: int) -> dict:
    window = task.site.window
    bounds = plan.settings.grid.sub(window).bounds
    shape = (content.wkb_box(bounds) if database.kind == "server"
             else content.geopackage_box(bounds, srid))  # fmt: skip
    return {
        "id": task.id, "geom": shape, "srid": srid, "place": task.site.place,
        "col": window.col, "row": window.row, "width": window.width, "height": window.height,
        "stratum": task.site.stratum, "score": task.site.score, "copies": task.copies,
        "handed": len(task.people),
    }  # fmt: skip


def _assignments(plan: Plan):
    """Everybody goes through their tasks in an order of their own, so gold cannot be guessed."""
    random = np.random.default_rng(plan.settings.seed)
    work: dict = {}
    for task in plan.tasks:
        for name in task.people:
            work.setdefault(name, []).append(task)
    for name in sorted(work):
        order = random.permutation(len(work[name]))
        for position, index in enumerate(order):
            yield {"task": work[name][index].id, "person": name, "position": position}


def _admit(database: ServerDatabase, plan: Plan) -> None:
    """Make the database roles that are missing and give each its rights, never a password."""
    schema = database.identifier(database.schema)
    for person in plan.people:
        if person.role == "lead":
            continue
        account = database.identifier(person.name)
        if not database.run("select 1 from pg_roles where rolname = :n", n=person.name):
            if not database.run(
                "select 1 from pg_roles where rolname = session_user and (rolcreaterole or "
                "rolsuper)"
            ):
                raise ConcordError(
                    f"There is no database role '{person.name}' and you may not make one; ask the "
                    "owner of the database to create it."
                )
            database.run(f"create role {account} login")
        for statement in campaign_rights.grants(person.role, account, schema):
            database.run(statement)
