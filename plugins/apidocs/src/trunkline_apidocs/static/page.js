"use strict";
// Credentials stay in the memory of this page and go to this server only.
(() => {
  const api = "api/v2";
  const state = { headers: {} };
  const byId = (id) => document.getElementById(id);

  const say = (words, bad = false) => {
    byId("state").textContent = words;
    byId("state").className = bad ? "bad" : "";
  };

  const read = async (path, options = {}) => {
    const headers = { Accept: "application/json", ...state.headers, ...options.headers };
    const reply = await fetch(`${api}/${path}`, { ...options, headers });
    const content = await reply.json();
    if (!reply.ok) throw new Error(content.error ? content.error.message : `Status ${reply.status}`);
    return content;
  };

  const logIn = async (email, password) => {
    const body = JSON.stringify({ email, password });
    const options = { method: "POST", body, headers: { "Content-Type": "application/json" } };
    try {
      return (await read("user/session", options)).session_token;
    } catch {
      return (await read("system/admin/session", options)).session_token;
    }
  };

  const show = async () => {
    const name = byId("service").value;
    const spec = await read(`api_docs/${encodeURIComponent(name)}?expand_schema=true`);
    const ui = SwaggerUIBundle({
      spec,
      domNode: byId("ui"),
      deepLinking: false,
      docExpansion: "list",
      filter: true,
      tryItOutEnabled: true,
      validatorUrl: null,
      presets: [SwaggerUIBundle.presets.apis],
      onComplete: () => {
        const key = state.headers["X-DreamFactory-API-Key"];
        const token = state.headers["X-DreamFactory-Session-Token"];
        if (key) ui.preauthorizeApiKey("ApiKeyHeader", key);
        if (token) ui.preauthorizeApiKey("SessionTokenHeader", token);
      },
    });
    say(`What you may call on ${name}.`);
  };

  const list = async () => {
    const names = (await read("api_docs?as_list=true&wrap=true")).resource;
    const options = names.map((name) => new Option(name, name));
    byId("service").replaceChildren(...options);
    byId("service").disabled = names.length === 0;
    if (names.length === 0) {
      byId("ui").replaceChildren();
      throw new Error("There is nothing that these credentials may call.");
    }
    const plain = names.find((name) => !["api_docs", "system", "user"].includes(name));
    byId("service").value = plain || names[0];
    await show();
  };

  // Services by which users log in elsewhere and come back to this page.
  const offerLogins = async () => {
    const { oauth = [], saml = [] } = (await read("system/environment")).authentication;
    const links = [...oauth, ...saml].map((one) => {
      const link = document.createElement("a");
      const join = one.path.includes("?") ? "&" : "?";
      link.href = `${api}/${one.path}${join}redirect=${encodeURIComponent(location.pathname)}`;
      link.textContent = `Log in with ${one.label || one.name}`;
      return link;
    });
    byId("logins").replaceChildren(...links);
  };

  // Whoever comes back from there has the session in the address, where it must not stay.
  const comeBack = async () => {
    const query = new URLSearchParams(location.search);
    const token = query.get("session_token");
    const error = query.get("error");
    if (!token && !error) return;
    history.replaceState(null, "", location.pathname);
    if (error) throw new Error(error);
    state.headers = { "X-DreamFactory-Session-Token": token };
    const { name } = await read("user/session");
    byId("logins").replaceChildren();
    say(`Logged in as ${name}. An API key says for which app.`);
  };

  const attempt = (work) => async (event) => {
    event.preventDefault();
    say("One moment …");
    try {
      await work();
    } catch (error) {
      say(error.message, true);
    }
  };

  byId("credentials").addEventListener("submit", attempt(async () => {
    const key = byId("key").value.trim();
    const email = byId("email").value.trim();
    // A login elsewhere stays, whatever key is used with it.
    const known = email ? undefined : state.headers["X-DreamFactory-Session-Token"];
    state.headers = known ? { "X-DreamFactory-Session-Token": known } : {};
    if (key) state.headers["X-DreamFactory-API-Key"] = key;
    if (email) {
      const token = await logIn(email, byId("password").value);
      state.headers["X-DreamFactory-Session-Token"] = token;
      byId("password").value = "";
    }
    await list();
  }));
  byId("service").addEventListener("change", attempt(show));
  // Whoever is quicker than this script must not send the form into nowhere.
  byId("use").disabled = false;
  offerLogins().then(comeBack).catch((error) => say(error.message, true));
})();
