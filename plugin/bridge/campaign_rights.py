"""Rights in PostgreSQL: what a role may see is a policy, what it may do is a function.

An annotator is a database role. The functions run with the lead's rights and take the person from
`session_user`, which a role cannot change, so nobody can act as another. Annotators have no right
to write to any table.
"""

from __future__ import annotations

_STAMP = """create function stamp() returns text language sql volatile as
$$ select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$"""

_DEFINER = "security definer set search_path = {schema}, public, pg_temp"

_ME = f"""create function me() returns text language sql stable {_DEFINER} as
$$ select name from person where account = session_user $$"""

_MY_ROLE = f"""create function my_role() returns text language sql stable {_DEFINER} as
$$ select role from person where account = session_user $$"""

_REVEALED = f"""create function revealed(p_task integer) returns boolean
language sql stable {_DEFINER} as
$$ select case (select value from campaign where key = 'reveal')
     when 'submission' then exists (select 1 from assignment a
       where a.task_id = p_task and a.person = me() and a.state = 'submitted')
     else exists (select 1 from task t where t.id = p_task and t.state = 'sealed'
       and exists (select 1 from assignment a where a.task_id = t.id and a.person = me())) end $$"""

_NOTE = f"""create function note(p_action text, p_task integer, p_subject text, p_detail text)
returns void language sql {_DEFINER} as
$$ insert into event (id, created, person, action, task_id, subject, detail)
   values (replace(gen_random_uuid()::text, '-', ''), stamp(), coalesce(me(), session_user::text),
           p_action, p_task, p_subject, p_detail) $$"""

_NEXT = f"""create function work_next() returns integer language plpgsql {_DEFINER} as $$
declare
  who text := me(); found_id integer; try integer;
begin
  if who is null or my_role() <> 'annotator' then
    raise exception 'You are no annotator of this campaign; ask the lead to add you.';
  end if;
  perform pg_advisory_xact_lock(hashtext(who));
  select a.task_id into found_id from assignment a join task t on t.id = a.task_id
    where a.person = who and a.state = 'working' and t.state <> 'sealed'
    order by a.position limit 1;
  if found_id is not null then return found_id; end if;
  select a.task_id into found_id from assignment a join task t on t.id = a.task_id
    where a.person = who and a.state in ('open', 'returned') and t.state <> 'sealed'
    order by (a.state = 'returned') desc, a.position limit 1 for update of a;
  if found_id is not null then
    update assignment set state = 'working', started = coalesce(started, stamp())
      where task_id = found_id and person = who;
    perform note('started', found_id, who, '');
    return found_id;
  end if;
  for try in 1..2 loop
    if try = 1 then
      select t.id into found_id from task t where t.state = 'open' and t.handed < t.copies
        and not exists (select 1 from assignment a join task o on o.id = a.task_id
                        where a.person = who and o.place = t.place)
        order by t.id limit 1 for update of t skip locked;
    else
      select t.id into found_id from task t where t.state = 'open' and t.handed < t.copies
        and not exists (select 1 from assignment a join task o on o.id = a.task_id
                        where a.person = who and o.place = t.place)
        order by t.id limit 1 for update of t;
    end if;
    exit when found_id is not null;
  end loop;
  if found_id is null then return null; end if;
  update task set handed = handed + 1 where id = found_id;
  insert into assignment (task_id, person, position, state, started, seconds, flag, reason)
    values (found_id, who, found_id, 'working', stamp(), 0, '', '');
  perform note('started', found_id, who, '');
  return found_id;
end $$"""

_SAVE = f"""create function work_save(p_id text, p_task integer, p_kind text,
  p_seconds double precision, p_confidence integer, p_flag text, p_reason text, p_mask bytea,
  p_shapes text, p_digest text) returns integer language plpgsql {_DEFINER} as $$
declare
  who text := me(); now_state text; task_state text; number integer;
begin
  select version into number from annotation where id = p_id and person = who;
  if number is not null then return number; end if;
  select state into task_state from task where id = p_task for update;
  select state into now_state from assignment where task_id = p_task and person = who for update;
  if now_state is null then
    raise exception 'Task % is not yours; ask for the next task.', p_task;
  elsif task_state = 'sealed' then
    raise exception 'Task % is sealed; ask the lead to open it again.', p_task;
  elsif now_state not in ('working', 'returned', 'open') then
    raise exception 'Task % is submitted already; ask the lead to return it.', p_task;
  elsif p_kind not in ('saved', 'submitted') then
    raise exception 'A version is saved or submitted.';
  end if;
  select coalesce(max(version), 0) + 1 into number from annotation
    where task_id = p_task and person = who;
  insert into annotation
    (id, task_id, person, version, kind, created, seconds, mask, shapes, digest) values
    (p_id, p_task, who, number, p_kind, stamp(), p_seconds, p_mask, p_shapes, p_digest);
  update assignment set seconds = p_seconds, confidence = p_confidence, flag = p_flag,
    reason = p_reason, state = case when p_kind = 'submitted' then 'submitted' else 'working' end,
    submitted = case when p_kind = 'submitted' then stamp() else submitted end
    where task_id = p_task and person = who;
  if p_kind = 'submitted' then
    perform note('submitted', p_task, who, 'version ' || number);
    update task set state = 'voted' where id = p_task and state = 'open'
      and copies <= (select count(*) from assignment
                     where task_id = p_task and state = 'submitted');
  end if;
  if p_flag <> '' then perform note('flagged', p_task, who, p_flag || ': ' || p_reason); end if;
  return number;
end $$"""

_RETURN = f"""create function work_return(p_task integer, p_person text, p_reason text)
returns void language plpgsql {_DEFINER} as $$
begin
  if coalesce(my_role(), '') not in ('reviewer', 'lead') then
    raise exception 'Only a reviewer or the lead returns work.';
  elsif (select state from task where id = p_task for update) = 'sealed' then
    raise exception 'Task % is sealed; unseal it first.', p_task;
  end if;
  update assignment set state = 'returned', reason = p_reason
    where task_id = p_task and person = p_person and state = 'submitted';
  if not found then
    raise exception 'Task % has no submitted work of %.', p_task, p_person;
  end if;
  update task set state = 'open' where id = p_task;
  perform note('returned', p_task, p_person, p_reason);
end $$"""

_REVIEW = f"""create function review_add(p_id text, p_task integer, p_decision text, p_reason text,
  p_mask bytea, p_shapes text, p_digest text, p_sources text, p_names integer)
returns integer language plpgsql {_DEFINER} as $$
declare
  level integer; wanted integer;
begin
  if coalesce(my_role(), '') not in ('reviewer', 'lead') then
    raise exception 'Only a reviewer or the lead adjudicates.';
  end if;
  select stage into level from review where id = p_id;
  if level is not null then return level; end if;
  if (select state from task where id = p_task for update) = 'sealed' then
    raise exception 'Task % is sealed; unseal it first.', p_task;
  elsif p_reason = '' then
    raise exception 'Give a reason for the decision.';
  end if;
  select stage + 1 into level from task where id = p_task;
  select value::integer into wanted from campaign where key = 'stages';
  insert into review (id, task_id, person, stage, decision, reason, created, mask, shapes, digest,
    sources, names_shown) values (p_id, p_task, me(), level, p_decision, p_reason, stamp(), p_mask,
    p_shapes, p_digest, p_sources, p_names);
  update task set stage = level, state = case when level >= wanted then 'reviewed' else 'voted' end
    where id = p_task;
  perform note('reviewed', p_task, '', p_decision || ': ' || p_reason);
  return level;
end $$"""

_SEAL = f"""create function task_seal(p_task integer, p_reason text) returns void
language plpgsql {_DEFINER} as $$
begin
  if coalesce(my_role(), '') <> 'lead' then raise exception 'Only the lead seals.'; end if;
  update task set state = 'sealed', sealed = stamp()
    where id = p_task and state in ('voted', 'reviewed');
  if not found then
    raise exception 'Task % has open work or is sealed already.', p_task;
  end if;
  perform note('sealed', p_task, '', p_reason);
end $$"""

_UNSEAL = f"""create function task_unseal(p_task integer, p_reason text) returns void
language plpgsql {_DEFINER} as $$
begin
  if coalesce(my_role(), '') <> 'lead' then raise exception 'Only the lead unseals.'; end if;
  update task set sealed = null, state = case when stage > 0 then 'reviewed' else 'voted' end
    where id = p_task and state = 'sealed';
  if not found then raise exception 'Task % is not sealed.', p_task; end if;
  perform note('unsealed', p_task, '', p_reason);
end $$"""

_KEPT = """create function kept() returns trigger language plpgsql as
$$ begin raise exception 'Annotations and events are never changed or deleted.'; end $$"""

FUNCTIONS = (_STAMP, _ME, _MY_ROLE, _REVEALED, _NOTE, _NEXT, _SAVE, _RETURN, _REVIEW, _SEAL,
             _UNSEAL, _KEPT)  # fmt: skip

# (select f()) is asked once for a query, f() once for a row
_MINE = "person = (select me())"
_ABOVE = "(select my_role()) in ('reviewer', 'lead')"
_POLICIES = (
    ("person", "true"),
    ("campaign", "true"),
    ("task", "true"),
    ("assignment", f"{_MINE} or {_ABOVE} or (state = 'submitted' and revealed(task_id))"),
    ("annotation", f"{_MINE} or (kind = 'submitted' and ({_ABOVE} or revealed(task_id)))"),
    ("review", _ABOVE),
    ("event", f"{_MINE} or {_ABOVE}"),
    ("gold", "(select my_role()) = 'lead'"),
)

STATEMENTS = (
    *FUNCTIONS,
    "revoke all on all functions in schema {schema} from public",
    "create trigger annotation_kept before update or delete on annotation "
    "for each statement execute function kept()",
    "create trigger event_kept before update or delete on event "
    "for each statement execute function kept()",
    *(f"alter table {table} enable row level security" for table, _ in _POLICIES),
    *(f"create policy see on {table} for select using ({rule})" for table, rule in _POLICIES),
)

_READS = ("campaign", "person", "task", "assignment", "annotation", "event", "migration")
_CALLS = (
    "me()",
    "my_role()",
    "revealed(integer)",
    "work_next()",
    "work_save(text, integer, text, double precision, integer, text, text, bytea, text, text)",
)
_REVIEWER_CALLS = (
    "work_return(integer, text, text)",
    "review_add(text, integer, text, text, bytea, text, text, text, integer)",
)


def grants(role: str, account: str, schema: str) -> list:
    """Statements that let one account take part; names come quoted."""
    reads, calls = _READS, _CALLS
    if role == "reviewer":
        reads, calls = (*_READS, "review"), (*_CALLS, *_REVIEWER_CALLS)
    return [
        f"grant usage on schema {schema} to {account}",
        *(f"grant select on {schema}.{table} to {account}" for table in reads),
        *(f"grant execute on function {schema}.{call} to {account}" for call in calls),
    ]
