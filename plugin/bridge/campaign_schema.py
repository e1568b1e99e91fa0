"""One schema for both stores, as numbered migrations that are applied once and in order."""

from __future__ import annotations

from ..engine.errors import ConcordError
from . import campaign_rights

_TABLES = (
    "create table campaign (key text primary key, value text not null)",
    """create table person (
        name text primary key, role text not null, kind text not null, account text)""",
    """create table task (
        id integer primary key, {geometry}, place integer not null,
        col_off integer not null, row_off integer not null,
        width integer not null, height integer not null,
        stratum text not null, score double precision not null,
        copies integer not null, handed integer not null, state text not null,
        stage integer not null, sealed text,
        check (handed <= copies))""",
    """create table assignment (
        task_id integer not null references task (id),
        person text not null references person (name),
        position integer not null, state text not null, started text, submitted text,
        seconds double precision not null, confidence integer, flag text not null,
        reason text not null, primary key (task_id, person))""",
    """create table annotation (
        id text primary key, task_id integer not null, person text not null,
        version integer not null, kind text not null, created text not null,
        seconds double precision not null, mask {blob} not null, shapes text not null,
        digest text not null, unique (task_id, person, version))""",
    """create table review (
        id text primary key, task_id integer not null references task (id),
        person text not null, stage integer not null, decision text not null,
        reason text not null, created text not null, mask {blob} not null, shapes text not null,
        digest text not null, sources text not null)""",
    """create table event (
        id text primary key, created text not null, person text not null, action text not null,
        task_id integer, subject text not null, detail text not null)""",
    "create table gold (task_id integer primary key references task (id), mask {blob} not null)",
    "create index task_next on task (state, handed, id)",
    "create index task_place on task (place)",
    "create index assignment_person on assignment (person, state, position)",
    "create index annotation_task on annotation (task_id, person, version)",
    "create index review_task on review (task_id, created)",
    "create index event_task on event (task_id, created)",
)
_ORIGINS = (
    # where a merged version came from, so that a conflict can be read years later
    "alter table annotation add column origin text not null default ''",
    "alter table review add column names_shown integer not null default 0",
)
_GUARDS_FILE = (
    # the database itself keeps what the program promises: versions and events only grow
    """create trigger annotation_kept before update on annotation begin
        select raise(abort, 'annotations are never changed'); end""",
    """create trigger annotation_held before delete on annotation begin
        select raise(abort, 'annotations are never deleted'); end""",
    """create trigger event_kept before update on event begin
        select raise(abort, 'events are never changed'); end""",
    """create trigger event_held before delete on event begin
        select raise(abort, 'events are never deleted'); end""",
)
_ATTRIBUTES = ("campaign", "person", "assignment", "annotation", "review", "event", "gold")

# (number, title, statements of both, of the file only, of the server only)
MIGRATIONS = (
    (1, "Tables", _TABLES, (), ()),
    (2, "Origins, guards and rights", _ORIGINS, _GUARDS_FILE, campaign_rights.STATEMENTS),
)
LATEST = MIGRATIONS[-1][0]
_KEEP = "create table {maybe} migration (version integer primary key, title text not null)"


def version(database) -> int:
    """The number of the last migration; 0 for an empty store."""
    rows = database.run("select max(version) from migration")
    return int(rows[0][0] or 0)


def migrate(database, srid: int = 0, upto: int = LATEST) -> int:
    """Apply what is missing, each migration in one transaction; returns the version.

    Raises:
        ConcordError: the store is newer than this Concord.
    """
    database.run(_KEEP.format(maybe="if not exists"))
    found = version(database)
    if found > LATEST:
        raise ConcordError(
            f"This campaign was made by a newer Concord (schema {found}, this one knows {LATEST}); "
            "update the plugin."
        )
    for number, title, both, of_file, of_server in MIGRATIONS:
        if not found < number <= upto:
            continue
        with database.transaction():
            for statement in (*both, *(of_file if database.kind == "file" else of_server)):
                _apply(database, statement, srid)
            if number == 1 and database.kind == "file":
                _register(database, srid)
            database.run(
                "insert into migration (version, title) values (:number, :title)",
                number=number, title=title,
            )  # fmt: skip
    return min(upto, LATEST)


def _apply(database, statement: str, srid: int) -> None:
    if statement.startswith("create table"):
        if database.kind == "file":
            statement = statement.replace("{blob}", "blob").replace("{geometry}", "geom blob")
            statement = statement.replace("double precision", "double")  # GeoPackage's name
        else:
            shape = f"geom geometry(Polygon, {int(srid)})"
            statement = statement.replace("{blob}", "bytea").replace("{geometry}", shape)
    if database.kind == "server":
        statement = statement.replace("{schema}", database.identifier(database.schema))
    database.run(statement)


def _register(database, srid: int) -> None:
    """Tell GeoPackage readers about the tables: tasks have places, the others only values."""
    database.run(
        "insert into gpkg_contents (table_name, data_type, identifier, srs_id) "
        "values ('task', 'features', 'task', :srid)",
        srid=srid,
    )
    database.run(
        "insert into gpkg_geometry_columns values ('task', 'geom', 'POLYGON', :srid, 0, 0)",
        srid=srid,
    )
    for name in _ATTRIBUTES:
        database.run(
            "insert into gpkg_contents (table_name, data_type, identifier) "
            "values (:name, 'attributes', :name)",
            name=name,
        )
