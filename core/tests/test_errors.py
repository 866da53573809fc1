from __future__ import annotations

from trunkline.errors import BatchError, Conflict, TooManyRequests, envelope


def test_the_envelope_has_the_four_fields() -> None:
    assert envelope(Conflict("Taken.", context={"field": "name"})) == {
        "error": {"code": 409, "context": {"field": "name"}, "message": "Taken.", "status_code": 409}
    }


def test_a_batch_error_is_a_400_with_code_1000() -> None:
    error = BatchError("Batch Error: …", errors=[1], results=[{"id": 1}, {"code": 400}])
    assert (error.status, error.code) == (400, 1000)
    assert error.context == {"error": [1], "resource": [{"id": 1}, {"code": 400}]}


def test_a_throttled_caller_is_told_when_to_come_back() -> None:
    assert TooManyRequests("Slow down.", retry_after=0).headers == {"Retry-After": "1"}
