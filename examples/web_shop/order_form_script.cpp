// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "pages.hpp"

namespace shop {

// The second click is not blocked here, and a lost answer is simply asked for again: the key makes both harmless.
std::string_view const order_form_script = R"js(
// [region: client]
'use strict';
const form = document.querySelector('form');
const say = text => { document.getElementById('status').textContent = text; };
const pause = ms => new Promise(done => setTimeout(done, ms));

async function send(body, key) {
  for (let attempt = 0; attempt < 8; ++attempt) {
    // Grows with each attempt, and is not the same for everybody.
    let wait = Math.min(200 * 2 ** attempt, 5000) * (0.5 + Math.random() / 2);
    try {
      const answer = await fetch(form.action, {
        method: 'POST',
        headers: {'Content-Type': 'application/x-www-form-urlencoded', 'Idempotency-Key': `"${key}"`},
        body,
      });
      if (answer.redirected) return location.assign(answer.url);
      if (answer.status !== 409 && answer.status !== 503) return say((await answer.json()).detail);
      wait = Math.max(wait, 1000 * Number(answer.headers.get('Retry-After') ?? 0));
    } catch {
      // No answer. It may have worked or not: the same request with the same key finds out.
    }
    say('No answer yet, asking again …');
    await pause(wait);
  }
  say('No answer. Press the button again: it will not order twice.');
}

form.addEventListener('submit', event => {
  event.preventDefault();
  say('Sending …');
  send(new URLSearchParams(new FormData(form)).toString(), form.elements.key.value);
});
// [endregion]
)js";

} // namespace shop
