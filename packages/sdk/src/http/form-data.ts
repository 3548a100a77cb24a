/** `FormData` (XMLHttpRequest standard, section 5) and what it is as a body (RFC 7578). */
import { encodeUtf8, joined } from '../prelude/text-codec.ts';
import { Blob, File } from './blob.ts';

/** A value of a form. */
export type FormValue = string | File;

/** See the standard. */
export class FormData {
  #entries: (readonly [name: string, value: FormValue])[] = [];

  append(name: string, value: unknown, filename?: string): void {
    this.#entries.push(entryOf(name, value, filename));
  }

  /** Takes the place of the first entry of this name, and of all others. */
  set(name: string, value: unknown, filename?: string): void {
    const entry = entryOf(name, value, filename);
    const place = this.#entries.findIndex(([one]) => one === entry[0]);
    this.#entries = this.#entries.filter(([one], index) => one !== entry[0] || index === place);
    if (place === -1) this.#entries.push(entry);
    else this.#entries[place] = entry;
  }

  get(name: string): FormValue | null {
    return this.#entries.find(([one]) => one === name)?.[1] ?? null;
  }

  getAll(name: string): FormValue[] {
    return this.#entries.filter(([one]) => one === name).map(([, value]) => value);
  }

  has(name: string): boolean {
    return this.#entries.some(([one]) => one === name);
  }

  delete(name: string): void {
    this.#entries = this.#entries.filter(([one]) => one !== name);
  }

  forEach(callback: (value: FormValue, name: string, form: FormData) => unknown): void {
    for (const [name, value] of this) callback(value, name, this);
  }

  *keys(): Generator<string, void> {
    for (const [name] of this) yield name;
  }

  *values(): Generator<FormValue, void> {
    for (const [, value] of this) yield value;
  }

  *entries(): Generator<[string, FormValue], void> {
    for (const [name, value] of this.#entries) yield [name, value];
  }

  [Symbol.iterator](): Generator<[string, FormValue], void> {
    return this.entries();
  }
}

/** A form as a body. */
export interface Multipart {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
}

/** The form as `multipart/form-data` (HTML standard, section 4.10.21.8). */
export const multipart = (form: FormData): Multipart => {
  const boundary = `mvm-form-${crypto.randomUUID()}`;
  const parts = [...form].flatMap(([name, value]) => [
    encodeUtf8(`--${boundary}\r\nContent-Disposition: form-data; name="${quoted(lines(name))}"${about(value)}\r\n\r\n`),
    typeof value === 'string' ? encodeUtf8(lines(value)) : Blob.bytesOf(value),
    encodeUtf8('\r\n'),
  ]);
  const bytes = joined([...parts, encodeUtf8(`--${boundary}--\r\n`)]);
  return { bytes, contentType: `multipart/form-data; boundary=${boundary}` };
};

const about = (value: FormValue): string =>
  typeof value === 'string'
    ? ''
    : `; filename="${quoted(value.name)}"\r\nContent-Type: ${value.type === '' ? 'application/octet-stream' : value.type}`;

const lines = (text: string): string => text.replace(/\r\n?|\n/g, '\r\n');

const quoted = (text: string): string => text.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22');

const entryOf = (name: unknown, value: unknown, filename: string | undefined): readonly [string, FormValue] => {
  const key = String(name).toWellFormed();
  if (value instanceof File && filename === undefined) return [key, value];
  if (value instanceof Blob) return [key, new File([value], filename ?? 'blob', { type: value.type })];
  if (filename !== undefined) throw new TypeError(`only a file has a name: "${key}" was given text and "${filename}"`);
  return [key, String(value).toWellFormed()];
};
