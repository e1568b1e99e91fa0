"""What a database role can and cannot do, tried with real roles and passwords."""

from __future__ import annotations

import psycopg2
import pytest

pytestmark = pytest.mark.parametrize("campaign", ["server"], indirect=True)
TABLES = ("campaign", "person", "task", "assignment", "annotation", "event", "gold", "review")


@pytest.fixture
def here(campaign):
    """An opened campaign in PostGIS where Ana and Ben have each submitted one task."""
    import numpy as np

    enter = campaign()
    tasks = {}
    for name in ("ana", "ben"):
        store = enter(name)
        task = store.next_task()
        store.submit(task.id, np.full((32, 32), 1, np.uint8))
        tasks[name] = task.id
    return enter, tasks


def sql(store, statement, **values):
    return store._db.run(statement, **values)


def refused(store, statement, **values):
    from concord.plugin.engine.errors import ConcordError

    with pytest.raises(ConcordError) as caught:
        sql(store, statement, **values)
    return str(caught.value)


def test_an_annotator_reads_only_their_own(here):
    enter, tasks = here
    ana = enter("ana")
    assert {r[0] for r in sql(ana, "select person from annotation")} == {"ana"}
    assert {r[0] for r in sql(ana, "select person from assignment")} == {"ana"}
    assert {r[0] for r in sql(ana, "select person from event")} == {"ana"}
    assert [v.person for v in ana.votes()] == ["ana"]
    assert ana.gold() == {} and "may not" in refused(ana, "select * from gold")
    assert "may not" in refused(ana, "select * from review")


def test_an_annotator_writes_to_no_table(here):
    enter, _ = here
    ana = enter("ana")
    for table in TABLES:
        assert "may not" in refused(ana, f"delete from {table}")
        column = sql(
            enter(), "select column_name from information_schema.columns where table_schema = :s "
            "and table_name = :t limit 1", s=enter.where.schema, t=table,
        )[0][0]  # fmt: skip
        assert "may not" in refused(ana, f"update {table} set {column} = {column}")
        assert "may not" in refused(ana, f"insert into {table} select * from {table}")
        assert "may not" in refused(ana, f"truncate {table}")
    assert len(sql(enter(), "select * from annotation")) == 2


def test_nobody_acts_as_another(here):
    enter, tasks = here
    ana = enter("ana")
    save = "select work_save(:id, :task, 'saved', 0, null, '', '', :mask, '', 'x')"
    other = next(n for n in range(1, 17) if n != tasks["ana"])
    version = sql(ana, save, id="z" * 32, task=other, mask=b"x")[0][0]
    rows = sql(enter(), "select person from annotation where id = :id", id="z" * 32)
    assert version == 1 and rows == [("ana",)], "written under the role's own name"
    for statement in ("set role ben", "set role postgres", "set session authorization ben"):
        assert refused(ana, statement)
    assert sql(ana, "select me()") == [("ana",)]
    assert "may not" in refused(ana, "select note('sealed', 1, 'ben', '')")
    assert "may not" in refused(ana, "select task_seal(1, '')")
    assert "may not" in refused(ana, "select work_return(1, 'ben', '')")


def test_a_wrong_password_is_no_entrance(here, server):
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(
            host="127.0.0.1", port=server.port, dbname="gis", user="ben", password="guess"
        )


def test_a_function_planted_in_the_way_is_not_called(here):
    """A role cannot shadow a table or function that the campaign's functions use."""
    enter, _ = here
    ana = enter("ana")
    sql(ana, "create temporary table person (name text, role text, kind text, account text)")
    sql(ana, "insert into pg_temp.person values ('lea', 'lead', 'expert', 'ana')")
    assert sql(ana, "select me(), my_role()") == [("ana", "annotator")]
    assert refused(ana, "create function stamp() returns text language sql as $$ select '' $$")


def test_a_stranger_sees_nothing(here, server):
    from concord.plugin.bridge import campaign_db
    from concord.plugin.bridge.campaign_store import Store
    from concord.plugin.engine.errors import ConcordError

    enter, _ = here
    if not server.psql("gis", "select 1 from pg_roles where rolname = 'stranger'").strip():
        server.psql("gis", "create role stranger login")
    server.allow("stranger")
    with pytest.raises(ConcordError):
        Store(campaign_db.address(server.uri("stranger", enter.where.schema)))


def test_not_even_the_lead_changes_a_version_or_an_event(here):
    enter, _ = here
    lead = enter()
    for table in ("annotation", "event"):
        assert "never changed" in refused(lead, f"update {table} set person = 'ben'")
        assert "never changed" in refused(lead, f"delete from {table}")


def test_a_sealed_task_is_closed_and_then_shown(here, campaign):
    import numpy as np

    enter, _ = here
    chip = np.full((32, 32), 2, np.uint8)
    for name in ("ana", "ben", "cy"):
        store = enter(name)
        while (task := store.next_task()) is not None:
            store.submit(task.id, chip)
    ana, lead = enter("ana"), enter()
    number = lead.tasks("voted")[0].id
    assert {v.person for v in ana.votes(number)} == {"ana"}
    lead.seal(number)
    assert {v.person for v in ana.votes(number)} == {"ana", "ben", "cy"}
    save = "select work_save(:id, :task, 'saved', 0, null, '', '', :mask, '', 'x')"
    assert "sealed" in refused(ana, save, id="y" * 32, task=number, mask=b"x")


def test_the_named_connection_of_qgis_is_used(here, server):
    """The password stands in QGIS's authentication store and nowhere else."""
    from qgis.core import QgsApplication, QgsAuthMethodConfig, QgsDataSourceUri, QgsProviderRegistry

    from concord.plugin.bridge import campaign_db
    from concord.plugin.bridge.campaign_store import Store
    from concord.plugin.engine.errors import ConcordError

    enter, _ = here
    keeper = QgsApplication.authManager()
    assert keeper.setMasterPassword("for the test", True)
    secret = QgsAuthMethodConfig("Basic")
    secret.setName("ana")
    secret.setConfig("username", "ana")
    secret.setConfig("password", QgsDataSourceUri(server.uri("ana")).password())
    assert keeper.storeAuthenticationConfig(secret)[0]
    uri = QgsDataSourceUri()
    uri.setConnection("127.0.0.1", str(server.port), "gis", "", "")
    uri.setAuthConfigId(secret.id())
    metadata = QgsProviderRegistry.instance().providerMetadata("postgres")
    metadata.saveConnection(metadata.createConnection(uri.uri(False), {}), "team")
    try:
        with Store(campaign_db.address(f"team/{enter.where.schema}")) as store:
            assert (store.me, store.role) == ("ana", "annotator")
        assert "secret" not in repr(campaign_db.address("team"))
    finally:
        metadata.deleteConnection("team")
        keeper.removeAuthenticationConfig(secret.id())
    with pytest.raises(ConcordError, match="neither a .gpkg file nor"):
        campaign_db.address("team")


def test_a_restart_of_the_server_loses_nothing(here, server):
    import numpy as np

    enter, _ = here
    ana = enter("ana")
    task = ana.next_task()
    ana.save(task.id, np.full((32, 32), 3, np.uint8))
    server.restart()
    assert ana.next_task().id == task.id
    assert (ana.latest(task.id).mask == 3).all()
    server.restart()
    ana.submit(task.id, np.full((32, 32), 3, np.uint8))
    assert [v[2] for v in ana.versions(task.id)] == ["saved", "submitted"]
