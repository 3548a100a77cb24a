/** JSON with the text of its numbers (https://tc39.es/proposal-json-parse-with-source/), which TypeScript's library lacks. */
interface JSON {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source: string }) => unknown): unknown;
  /** A value that `JSON.stringify` writes as `text`. */
  rawJSON(text: string): unknown;
}
