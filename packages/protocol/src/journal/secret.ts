/**
 * Secrets in requests. A guest never holds a secret's value: it writes a placeholder, and whoever sends the request puts
 * the value in its place, in the URL, the headers' values and the body, and only for hosts that the operator allowed for
 * it. So neither the guest's memory nor the journal nor a log ever has the value.
 *
 * The placeholder is made of characters that a URL, a form, a header and JSON text all keep as they are. The SDK
 * (`packages/sdk/src/secret.ts`) makes the same text; `tests/tidy/secret.test.ts` holds both equal.
 */

/** What a secret may be called: 1 to 64 letters, digits, `_` and `-`. */
export const secretNamePattern: RegExp = /^[A-Za-z0-9_-]{1,64}$/;

/** The text that stands for a secret. @example secretPlaceholder('API_KEY') // 'mvm-secret.API_KEY.' */
export const secretPlaceholder = (name: string): string => `mvm-secret.${name}.`;

/** Finds placeholders in a text, each with its name as the first group. Global: use it with `matchAll` and `replaceAll`. */
export const secretPlaceholderPattern: RegExp = /mvm-secret\.([A-Za-z0-9_-]{1,64})\./g;
