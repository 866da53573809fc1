"""What relations of limits show of other records."""

from __future__ import annotations

from trunkline.testing import Gateway


def test_a_user_is_shown_only_to_who_may_read_users(gateway: Gateway) -> None:
    """A relation opens nothing that its own resource would not (checklist 10)."""
    user = gateway.create_user("ana@ex.org")
    sent = {"name": "hers", "type": "instance.user", "rate": 9, "period": "minute", "user_id": user.id}
    assert gateway.admin.post("/system/limit", json={"resource": [sent]}).status_code == 200
    may_read = {"service": "system", "component": "limit", "verb_mask": 1}
    client, params = gateway.key_for([may_read]), {"related": "user_by_user_id"}
    assert client.get("/system/limit").status_code == 200
    assert client.get("/system/limit", params=params).status_code == 403
    assert "user_by_user_id" not in client.get("/system/limit", params={"related": "*"}).text
    users_too = gateway.key_for([may_read, {"service": "system", "component": "user", "verb_mask": 1}])
    (shown,) = users_too.get("/system/limit", params=params).json()["resource"]
    assert shown["user_by_user_id"]["email"] == "ana@ex.org"
