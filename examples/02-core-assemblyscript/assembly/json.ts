/** As much JSON as the input of this example needs: a field of the outermost object, without a tree. */

/** The text of `"name":"…"`, '' when there is none. Knows the escapes `\"`, `\\` and `\/`. */
export function textField(json: string, name: string): string {
  let at = valueOf(json, name);
  if (at < 0 || json.charAt(at) != '"') return '';
  let text = '';
  for (at++; at < json.length && json.charAt(at) != '"'; at++) {
    if (json.charAt(at) == '\\') at++;
    text += json.charAt(at);
  }
  return text;
}

/** The number of `"name":…`, `otherwise` when there is none. */
export function numberField(json: string, name: string, otherwise: f64): f64 {
  const at = valueOf(json, name);
  if (at < 0) return otherwise;
  const value = parseFloat(json.slice(at));
  return isNaN(value) ? otherwise : value;
}

// Where the value begins; -1 when the field is not there.
function valueOf(json: string, name: string): i32 {
  const key = '"' + name + '"';
  const start = json.indexOf(key);
  if (start < 0) return -1;
  let at = start + key.length;
  while (at < json.length && (json.charAt(at) == ' ' || json.charAt(at) == ':')) at++;
  return at;
}
