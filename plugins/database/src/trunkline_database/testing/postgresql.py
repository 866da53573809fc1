"""What PostgreSQL needs for the suite's part about routines; every connector that is it inside runs this."""

from __future__ import annotations

ROUTINES = """
create procedure proc_out(a integer, b integer, out total integer, out word varchar) language plpgsql as
  $$ begin total := a + b; word := 'w' || a; end $$;
create procedure proc_note(t varchar) language sql as $$ insert into sample (words) values (t) $$;
create procedure proc_fail(t varchar) language plpgsql as
  $$ begin insert into sample (words) values (t); raise exception 'No such luck.'; end $$;
create procedure proc_twin(t varchar) language sql as $$ insert into genre (id, label) values (1, t), (1, t) $$;
create procedure proc_rows(lowest integer, out books refcursor) language plpgsql as
  $$ begin open books for select title, pages from book where pages >= lowest order by pages; end $$;
create procedure proc_both(lowest integer, out books refcursor, out total integer) language plpgsql as
  $$ begin
    open books for select title, pages from book where pages >= lowest order by pages;
    select count(*) into total from book where pages >= lowest;
  end $$;
create procedure proc_sets(out books refcursor, out shelves refcursor) language plpgsql as
  $$ begin
    open books for select title from book order by title;
    open shelves for select code from shelf order by code;
  end $$;
create procedure proc_inout(inout n integer) language plpgsql as $$ begin n := 2 * n; end $$;
create function func_add(a integer, b integer) returns integer language sql as $$ select a + b $$;
create function func_echo(t varchar) returns varchar language sql as $$ select t $$;
create function func_rows(lowest integer) returns table (title varchar, pages integer) language sql as
  $$ select title, pages from book where pages >= lowest order by pages $$;
create function func_default(a integer, b integer default 5) returns integer language sql as $$ select a + b $$;
"""
