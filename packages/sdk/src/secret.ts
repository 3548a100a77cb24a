/**
 * A placeholder for a secret that the operator keeps, for a request's URL, headers or body. The value itself never comes
 * into the workflow: it takes the placeholder's place when the request is sent, and only to hosts that the operator
 * allowed for it. So it is neither in the workflow's memory nor in its journal nor in a log.
 *
 * What is computed from the placeholder has not the value in it: it can't be encoded in base64 or signed with.
 *
 * @param name - 1 to 64 letters, digits, `_` and `-`.
 * @throws {TypeError} when `name` isn't one.
 * @example await fetch(url, { headers: { authorization: `Bearer ${secret('GITHUB_TOKEN')}` } });
 */
export const secret = (name: string): string => {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(name)) return `mvm-secret.${name}.`;
  throw new TypeError(`a secret's name has 1 to 64 letters, digits, "_" and "-": received ${JSON.stringify(name)}`);
};
