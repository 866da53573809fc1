"""Packages: what an import makes of one (system-api 20.1)."""

from __future__ import annotations

import io
import zipfile

from asking import PASSWORD, create_one, read, refused, upload
from packing import PATH, SEAL, asked, documents, exported, packed_of

from trunkline.testing import Gateway


class TestImport:
    def test_an_empty_gateway_becomes_the_same(self, full: Gateway, empty: Gateway) -> None:
        """The same requests get the same answers on both."""
        packed = exported(full.admin, password=SEAL).content
        reply = upload(empty.admin, PATH, "all.zip", packed, password=SEAL)
        assert reply.status_code == 201, reply.text
        assert reply.json()["success"] is True
        assert reply.json()["log"]["warning"] == []
        key = read(full.admin, "/system/app")[0]["api_key"]
        assert read(empty.admin, "/system/app")[0]["api_key"] == key
        answers = asked(full, key)
        assert asked(empty, key) == answers
        # Some are answered and some refused, else the comparison would say little.
        assert {200, 401, 403} <= {status for status, _ in answers}
        assert answers[0] == (200, {"host": "{chest_host}", "port": 8081, "password": "open sesame"})
        chest = read(empty.admin, "/system/service/chest", related="*")
        assert chest["config"]["default_app_id"] == read(empty.admin, "/system/app")[0]["id"]
        assert chest["service_doc_by_service_id"]["content"] == '{"paths": {}}'
        assert empty.admin.get("/system/custom/theme").json() == {"dark": True}

    def test_ids_may_differ(self, full: Gateway, empty: Gateway) -> None:
        for number in range(5):
            create_one(empty.admin, "/system/role", name=f"other {number}")
            create_one(empty.admin, "/system/app", name=f"other {number}")
            create_one(
                empty.admin, "/system/service", name=f"other{number}", type="sqlite", config={"database": "o.db"}
            )
        packed = exported(full.admin, password=SEAL).content
        assert upload(empty.admin, PATH, "all.zip", packed, password=SEAL).status_code == 201
        key = next(one["api_key"] for one in read(full.admin, "/system/app") if one["name"] == "shop")
        assert asked(empty, key) == asked(full, key)

    def test_without_the_secrets_it_is_told_what_is_missing(self, full: Gateway, empty: Gateway) -> None:
        reply = upload(empty.admin, PATH, "all.zip", exported(full.admin).content)
        assert reply.status_code == 201, reply.text
        told = " ".join(reply.json()["log"]["warning"])
        for part in ("service 'chest' has a secret", "app 'shop' has an API key", "lookup 'chest_word'", "ana@ex.org"):
            assert part in told
        login = {"email": "ana@ex.org", "password": PASSWORD}
        assert empty.anonymous.post("/user/session", json=login).status_code == 401
        assert len(read(empty.admin, "/system/app")[0]["api_key"]) == 64

    def test_what_is_there_stays_unless_it_shall_be_overwritten(self, full: Gateway, empty: Gateway) -> None:
        packed = exported(full.admin, password=SEAL).content
        upload(empty.admin, PATH, "all.zip", packed, password=SEAL)
        before = read(empty.admin, "/system/role", related="*")
        key = before[0]["id"]
        more = [{"service_id": None, "component": "*", "verb_mask": 31}]
        changed = {"description": "mine", "role_service_access_by_role_id": more}
        assert empty.admin.patch(f"/system/role/{key}", json=changed).status_code == 200
        again = upload(empty.admin, PATH, "all.zip", packed, password=SEAL)
        assert (again.status_code, again.json()["success"]) == (200, False)
        assert "Role 'reader'" in str(again.json()["log"]["notice"]) or "role 'reader'" in str(again.json()["log"])
        assert read(empty.admin, f"/system/role/{key}")["description"] == "mine"
        over = upload(empty.admin, PATH, "all.zip", packed, password=SEAL, overwrite="true")
        assert over.status_code == 201, over.text
        role = read(empty.admin, f"/system/role/{key}", related="*")
        assert role["description"] is None
        rows = role["role_service_access_by_role_id"]
        # A row that the package does not have would widen what the package's author has granted.
        assert [row["component"] for row in rows] == ["*", "", "_table/*"]
        api_key = read(full.admin, "/system/app")[0]["api_key"]
        assert asked(empty, api_key)[:3] == asked(full, api_key)[:3]

    def test_a_failure_undoes_everything(self, full: Gateway, empty: Gateway) -> None:
        found = documents(exported(full.admin, password=SEAL).content)
        found["system/email_template.json"]["resource"].append({"name": "x" * 65})
        before = {name: read(empty.admin, f"/system/{name}") for name in ("role", "service", "app", "lookup", "user")}
        reply = upload(empty.admin, PATH, "bad.zip", packed_of(found), password=SEAL)
        error = refused(reply, 400, "Email_template 'xxx")
        assert set(error["context"]) == {"name"}
        assert {name: read(empty.admin, f"/system/{name}") for name in before} == before

    def test_a_row_whose_service_is_not_here_never_becomes_one_for_all(self, full: Gateway, empty: Gateway) -> None:
        packed = exported(full.admin, {"system": {"role": ["reader"]}}).content
        found = documents(packed)
        # As a package of another product has it: a bare id.
        rows = found["system/role.json"]["resource"][0]["role_service_access_by_role_id"]
        rows.append({"service_id": 77, "component": "*", "verb_mask": 31})
        rows.append({"component": "*", "verb_mask": 31})
        reply = upload(empty.admin, PATH, "role.zip", packed_of(found))
        assert len(reply.json()["log"]["warning"]) == 4
        (role,) = read(empty.admin, "/system/role", related="*")
        assert [(row["service_id"], row["component"]) for row in role["role_service_access_by_role_id"]] == [(None, "")]

    def test_bare_ids_mean_what_the_package_calls_so(self, empty: Gateway) -> None:
        found = {
            "package.json": {"version": "0.1", "service": {}},
            "system/service.json": [{"id": 9, "name": "chest", "type": "chest", "is_active": True,
                                     "config": {"host": "h", "password": "p", "default_app_id": 4}}],
            "system/role.json": [{"id": 3, "name": "r", "is_active": True, "role_service_access_by_role_id":
                                  [{"id": 1, "role_id": 3, "service_id": 9, "component": "*", "verb_mask": 1}]}],
            "system/app.json": [{"id": 4, "name": "a", "role_id": 3, "is_active": True, "api_key": "k" * 64}],
        }  # fmt: skip
        assert upload(empty.admin, PATH, "p.zip", packed_of(found)).status_code == 201
        assert empty.with_key("k" * 64).get("/chest/look").json()["password"] == "p"
        config = read(empty.admin, "/system/service/chest")["config"]
        assert config["default_app_id"] == read(empty.admin, "/system/app")[0]["id"]

    def test_the_password_must_fit(self, full: Gateway, empty: Gateway) -> None:
        packed = exported(full.admin, {"system": {"role": ["reader"]}}, password=SEAL).content
        for given, part in (("", "Password is required"), ("short", "at least 6"), ("another one", "does not fit")):
            refused(upload(empty.admin, PATH, "p.zip", packed, password=given), 400, part)
        assert read(empty.admin, "/system/role") == []

    def test_what_is_no_package_is_refused(self, empty: Gateway) -> None:
        bomb = io.BytesIO()
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("package.json", b" " * (100 * 2**20))
        for name, content, part in (
            ("p.zip", b"no zip", "Invalid package supplied."), ("p.zip", packed_of({}), "Invalid package supplied."),
            ("p.zip", packed_of({"package.json": []}), "Invalid package"),
            ("p.dfpkg", b"", "Only packages that are zip"),
            ("p.zip", packed_of({"package.json": {}}), "No items found"), ("p.zip", bomb.getvalue(), "too large"),
            ("p.zip", packed_of({"package.json": {}, "system/role.json": 1}), "Invalid package"),
            ("p.zip", packed_of({"package.json": {}, "system/role.json": [1]}), "Invalid package"),
            ("p.zip", packed_of({"package.json": {}, "system/role.json": [{}]}), "name is missing"),
            ("p.zip", packed_of({"package.json": {}, "system/nothing.json": [{"name": "x"}]}), "no resource 'nothing'"),
        ):  # fmt: skip
            refused(upload(empty.admin, PATH, name, content), 400, part)
        refused(empty.admin.post(PATH, json={"import_url": "http://127.0.0.1/p.zip"}), 400, "Invalid import URL: ")
        refused(empty.admin.get(f"{PATH}/x"), 404)

    def test_nobody_gains_rights_by_a_package(self, full: Gateway, empty: Gateway) -> None:
        packed = exported(full.admin, password=SEAL).content
        client = empty.key_for([{"service": "system", "component": "package", "verb_mask": 2},
                                {"service": "system", "component": "lookup", "verb_mask": 2}])  # fmt: skip
        refused(upload(client, PATH, "p.zip", packed, password=SEAL), 403, "is not allowed by this user's role")
        assert read(empty.admin, "/system/lookup") == []
        account = {"package.json": {}, "system/user.json": [{"email": "x@ex.org", "password": "$2b$31$" + "a" * 53}]}
        reply = upload(empty.admin, PATH, "p.zip", packed_of(account))
        assert "The password of user 'x@ex.org' is left out." in reply.json()["log"]["warning"]
        raised = {"package.json": {}, "system/user.json": [{"email": "y@ex.org", "is_sys_admin": True}]}
        assert upload(empty.admin, PATH, "p.zip", packed_of(raised)).status_code == 201
        assert "y@ex.org" not in {one["email"] for one in read(empty.admin, "/system/admin")}


class TestTables:
    """Structure and records of databases, which go by calls that the caller could make."""

    def test_tables_are_made_in_an_order_that_works(self, full: Gateway, empty: Gateway) -> None:
        parent = {"name": "z_parent", "field": [{"name": "id", "type": "id"}, {"name": "label", "type": "string"}]}
        child = {"name": "a_child", "field": [{"name": "id", "type": "id"}, {"name": "parent_id", "type": "reference",
                                               "ref_table": "z_parent", "ref_field": "id"}]}  # fmt: skip
        bag = {"name": "bag", "field": [{"name": "word", "type": "string", "allow_null": True}]}
        assert full.admin.post("/shop/_schema", json={"resource": [parent, child, bag]}).status_code == 200
        full.admin.post("/shop/_table/z_parent", json={"resource": [{"label": "x"}, {"label": "\u00fc"}]})
        full.admin.post("/shop/_table/a_child", json={"resource": [{"parent_id": 2}]})
        words = [{"word": f"w{number}"} for number in range(1200)]
        full.admin.post("/shop/_table/bag", json={"resource": [*words, {"word": None}]})
        reply = upload(empty.admin, PATH, "all.zip", exported(full.admin, password=SEAL).content, password=SEAL)
        assert reply.json()["log"]["warning"] == []
        for table in ("z_parent", "a_child", "bag"):
            path = f"/shop/_table/{table}"
            counts = [one.admin.get(path, params={"count_only": "true"}).json() for one in (full, empty)]
            assert counts[0] == counts[1]
            order = "word" if table == "bag" else "id"
            assert read(empty.admin, path, order=order) == read(full.admin, path, order=order)
        (key,) = [one for one in read(empty.admin, "/shop/_schema/a_child")["field"] if one["name"] == "parent_id"]
        assert (key["ref_table"], key["ref_field"]) == ("z_parent", "id")

    def test_records_go_into_new_tables_only(self, full: Gateway) -> None:
        packed = exported(full.admin, {"shop": {"_schema": ["item"], "_table": ["item"]}}).content
        reply = upload(full.admin, PATH, "items.zip", packed)
        assert (reply.status_code, reply.json()["success"]) == (200, False)
        assert len(reply.json()["log"]["notice"]) == 2
        assert len(read(full.admin, "/shop/_table/item")) == 4
        assert full.admin.delete("/shop/_schema/item").status_code == 200
        assert upload(full.admin, PATH, "items.zip", packed).status_code == 201
        assert [one["id"] for one in read(full.admin, "/shop/_table/item")] == [1, 2, 3, 4]

    def test_what_does_not_fit_is_a_warning(self, full: Gateway, empty: Gateway) -> None:
        found = {
            "package.json": {},
            "gone/_schema.json": {"resource": [{"name": "t"}]},
            "shop/_schema.json": [{"name": "broken", "field": [{"name": "", "type": "string"}]}],
            "shop/_table.json": {"item": [{"id": 1, "note": "taken"}]},
        }
        told = upload(full.admin, PATH, "p.zip", packed_of(found), overwrite="true").json()["log"]["warning"]
        for part in (
            "'gone' are left out",
            "'broken' of service 'shop' was not created",
            "Record 1 of table 'item'",
        ):
            assert part in " ".join(told)
        assert upload(empty.admin, PATH, "p.zip", packed_of(found)).json()["success"] is False

    def test_names_are_found_whatever_their_letters(self, full: Gateway, empty: Gateway) -> None:
        create_one(full.admin, "/system/role", name="\u00dcbung", is_active=True)
        create_one(full.admin, "/system/app", name="\u00c4pp", role_id=read(full.admin, "/system/role")[1]["id"])
        packed = exported(full.admin, {"system": {"role": ["\u00dcbung"], "app": ["\u00c4pp"]}}, password=SEAL).content
        assert upload(empty.admin, PATH, "p.zip", packed, password=SEAL).json()["log"]["warning"] == []
        assert read(empty.admin, "/system/app")[0]["role_id"] == read(empty.admin, "/system/role")[0]["id"]
        assert upload(empty.admin, PATH, "p.zip", packed, password=SEAL).json()["success"] is False
