"""OAuth 2.1 for clients that are programs of others: users log in here and let them in (connectors 12.4).

Nothing is stored. Client ids, requests under way and codes are sealed by the instance's key and say themselves what
they are for; what may be used once only is noted in the shared cache; tokens are those of ``trunkline.sessions``, for
one server alone.
"""
