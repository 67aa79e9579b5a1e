// The line to the session: asks go out and answers come in as JSON texts on one Bokeh model, over Bokeh's own websocket.

const answers = new Map();
let line = null;
let count = 0;
const waiting = [];

/** Call `answer` with each message of `kind`. */
export function on(kind, answer) {
  if (!answers.has(kind)) answers.set(kind, []);
  answers.get(kind).push(answer);
}

/** Ask the session for something. */
export function ask(kind, values = {}) {
  count += 1;
  const text = JSON.stringify({ kind, count, ...values });
  if (line === null) waiting.push(text);
  else line.asked = text;
}

/** Connect to the session of this page; `ready` is called with Bokeh's document. */
export function connect(ready) {
  const found = window.Bokeh?.documents?.[0];
  const model = found?.get_model_by_name("line");
  if (!model) {
    setTimeout(() => connect(ready), 30);
    return;
  }
  line = model;
  line.properties.told.change.connect(() => {
    const told = JSON.parse(line.told);
    for (const answer of answers.get(told.kind) ?? []) answer(told);
  });
  ready(found);
  for (const text of waiting.splice(0)) line.asked = text;
}
