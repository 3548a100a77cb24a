/**
 * The globals of a workflow, for an author whose folder has neither the DOM's nor Node's types:
 *
 *     { "compilerOptions": { "lib": ["esnext"], "types": ["@mvm-ci/sdk/globals"] } }
 *
 * The names and shapes are those of the standards, as far as a workflow has them.
 */

interface EventListenerObject {
  handleEvent(event: Event): unknown;
}
type EventListenerLike = ((event: Event) => unknown) | EventListenerObject;

interface Event {
  readonly type: string;
  readonly target: EventTarget | null;
  readonly currentTarget: EventTarget | null;
  readonly bubbles: boolean;
  readonly cancelable: boolean;
  readonly defaultPrevented: boolean;
  preventDefault(): void;
  stopPropagation(): void;
  stopImmediatePropagation(): void;
}
declare const Event: {
  prototype: Event;
  new (type: string, options?: { bubbles?: boolean; cancelable?: boolean }): Event;
};

interface CustomEvent<Detail = unknown> extends Event {
  readonly detail: Detail;
}
declare const CustomEvent: {
  prototype: CustomEvent;
  new <Detail>(
    type: string,
    options?: { bubbles?: boolean; cancelable?: boolean; detail?: Detail },
  ): CustomEvent<Detail>;
};

interface EventTarget {
  addEventListener(
    type: string,
    listener: EventListenerLike | null,
    options?: boolean | { once?: boolean; signal?: AbortSignal },
  ): void;
  removeEventListener(type: string, listener: EventListenerLike | null): void;
  dispatchEvent(event: Event): boolean;
}
declare const EventTarget: { prototype: EventTarget; new (): EventTarget };

interface AbortSignal extends EventTarget {
  readonly aborted: boolean;
  readonly reason: unknown;
  onabort: ((event: Event) => unknown) | null;
  throwIfAborted(): void;
}
declare const AbortSignal: {
  prototype: AbortSignal;
  abort(reason?: unknown): AbortSignal;
  /** A durable timer. */
  timeout(milliseconds: number): AbortSignal;
  any(signals: Iterable<AbortSignal>): AbortSignal;
};

interface AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}
declare const AbortController: { prototype: AbortController; new (): AbortController };

interface DOMException extends Error {
  readonly code: number;
}
declare const DOMException: { prototype: DOMException; new (message?: string, name?: string): DOMException };

interface URLSearchParams extends Iterable<[string, string]> {
  readonly size: number;
  append(name: string, value: string): void;
  delete(name: string, value?: string): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string, value?: string): boolean;
  set(name: string, value: string): void;
  sort(): void;
  forEach(callback: (value: string, name: string, parent: URLSearchParams) => void, thisArg?: unknown): void;
  entries(): IterableIterator<[string, string]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  toString(): string;
}
declare const URLSearchParams: {
  prototype: URLSearchParams;
  new (init?: string | Record<string, string> | Iterable<readonly [string, string]>): URLSearchParams;
};

interface URL {
  hash: string;
  host: string;
  hostname: string;
  href: string;
  readonly origin: string;
  password: string;
  pathname: string;
  port: string;
  protocol: string;
  search: string;
  readonly searchParams: URLSearchParams;
  username: string;
  toString(): string;
  toJSON(): string;
}
declare const URL: {
  prototype: URL;
  new (url: string | URL, base?: string | URL): URL;
  canParse(url: string | URL, base?: string | URL): boolean;
  parse(url: string | URL, base?: string | URL): URL | null;
};

type HeadersInit = Headers | Record<string, string> | Iterable<readonly [string, string]>;
interface Headers extends Iterable<[string, string]> {
  append(name: string, value: string): void;
  delete(name: string): void;
  get(name: string): string | null;
  getSetCookie(): string[];
  has(name: string): boolean;
  set(name: string, value: string): void;
  forEach(callback: (value: string, name: string, parent: Headers) => void, thisArg?: unknown): void;
  entries(): IterableIterator<[string, string]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
}
declare const Headers: { prototype: Headers; new (init?: HeadersInit): Headers };

type BlobPart = string | Blob | ArrayBuffer | ArrayBufferView;
interface Blob {
  readonly size: number;
  readonly type: string;
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  slice(start?: number, end?: number, type?: string): Blob;
  text(): Promise<string>;
}
declare const Blob: { prototype: Blob; new (parts?: Iterable<BlobPart>, options?: { type?: string }): Blob };

interface File extends Blob {
  readonly lastModified: number;
  readonly name: string;
}
declare const File: {
  prototype: File;
  new (parts: Iterable<BlobPart>, name: string, options?: { type?: string; lastModified?: number }): File;
};

type FormDataEntryValue = string | File;
interface FormData extends Iterable<[string, FormDataEntryValue]> {
  append(name: string, value: string | Blob, filename?: string): void;
  delete(name: string): void;
  get(name: string): FormDataEntryValue | null;
  getAll(name: string): FormDataEntryValue[];
  has(name: string): boolean;
  set(name: string, value: string | Blob, filename?: string): void;
  forEach(callback: (value: FormDataEntryValue, name: string, parent: FormData) => void): void;
  entries(): IterableIterator<[string, FormDataEntryValue]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<FormDataEntryValue>;
}
declare const FormData: { prototype: FormData; new (): FormData };

/** One piece: an answer comes whole. */
interface BodyStream extends AsyncIterable<Uint8Array<ArrayBuffer>> {
  readonly locked: boolean;
  cancel(): Promise<void>;
  getReader(): {
    readonly closed: Promise<undefined>;
    cancel(): Promise<void>;
    read(): Promise<{ done: false; value: Uint8Array<ArrayBuffer> } | { done: true; value: undefined }>;
    releaseLock(): void;
  };
  tee(): [BodyStream, BodyStream];
  values(options?: { preventCancel?: boolean }): AsyncIterableIterator<Uint8Array<ArrayBuffer>>;
}

type BodyInit = string | URLSearchParams | FormData | Blob | ArrayBuffer | ArrayBufferView;
interface Body {
  readonly body: BodyStream | null;
  readonly bodyUsed: boolean;
  blob(): Promise<Blob>;
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  // oxlint-disable-next-line typescript/no-explicit-any -- as in the DOM's and Node's types, which authors may have too
  json(): Promise<any>;
  text(): Promise<string>;
}

type RequestRedirect = 'error' | 'follow' | 'manual';
/** Has `idempotent`, `idempotencyKey` and `timeoutMs` too, as soon as the SDK is imported. */
interface RequestInit {
  body?: BodyInit | null | undefined;
  headers?: HeadersInit | undefined;
  method?: string | undefined;
  redirect?: RequestRedirect | undefined;
  signal?: AbortSignal | null | undefined;
}
interface Request extends Body {
  readonly headers: Headers;
  readonly method: string;
  readonly redirect: RequestRedirect;
  readonly url: string;
  clone(): Request;
}
declare const Request: { prototype: Request; new (input: string | URL | Request, init?: RequestInit): Request };

interface ResponseInit {
  headers?: HeadersInit | undefined;
  status?: number | undefined;
  statusText?: string | undefined;
}
interface Response extends Body {
  readonly headers: Headers;
  readonly ok: boolean;
  readonly redirected: boolean;
  readonly status: number;
  readonly statusText: string;
  readonly type: string;
  readonly url: string;
  clone(): Response;
}
declare const Response: {
  prototype: Response;
  new (body?: BodyInit | null, init?: ResponseInit): Response;
  json(data: unknown, init?: ResponseInit): Response;
  redirect(url: string | URL, status?: number): Response;
};

/** A durable effect: its answer is in the job's journal. */
declare function fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;

interface TextEncoder {
  readonly encoding: string;
  encode(input?: string): Uint8Array<ArrayBuffer>;
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number };
}
declare const TextEncoder: { prototype: TextEncoder; new (): TextEncoder };

interface TextDecoder {
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(input?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string;
}
declare const TextDecoder: {
  prototype: TextDecoder;
  new (label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean }): TextDecoder;
};

interface Console {
  assert(condition?: boolean, ...data: unknown[]): void;
  count(label?: string): void;
  countReset(label?: string): void;
  debug(...data: unknown[]): void;
  dir(item?: unknown): void;
  error(...data: unknown[]): void;
  group(...data: unknown[]): void;
  groupEnd(): void;
  info(...data: unknown[]): void;
  log(...data: unknown[]): void;
  table(data?: unknown): void;
  time(label?: string): void;
  timeEnd(label?: string): void;
  timeLog(label?: string): void;
  trace(...data: unknown[]): void;
  warn(...data: unknown[]): void;
}
/** Writes to the job's log. */
declare const console: Console;

interface CryptoKey {
  readonly type: string;
  readonly extractable: boolean;
  readonly usages: readonly ('sign' | 'verify')[];
  readonly algorithm: { readonly name: string; readonly hash: { readonly name: string }; readonly length: number };
}

type HashName = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';

/** Digests, and HMAC with keys of bytes. */
interface SubtleCrypto {
  digest(algorithm: HashName | { readonly name: HashName }, data: ArrayBuffer | ArrayBufferView): Promise<ArrayBuffer>;
  importKey(
    format: 'raw',
    data: ArrayBuffer | ArrayBufferView,
    algorithm: { readonly name: 'HMAC'; readonly hash: HashName | { readonly name: HashName } },
    extractable: boolean,
    usages: readonly ('sign' | 'verify')[],
  ): Promise<CryptoKey>;
  exportKey(format: 'raw', key: CryptoKey): Promise<ArrayBuffer>;
  sign(
    algorithm: 'HMAC' | { readonly name: 'HMAC' },
    key: CryptoKey,
    data: ArrayBuffer | ArrayBufferView,
  ): Promise<ArrayBuffer>;
  verify(
    algorithm: 'HMAC' | { readonly name: 'HMAC' },
    key: CryptoKey,
    signature: ArrayBuffer | ArrayBufferView,
    data: ArrayBuffer | ArrayBufferView,
  ): Promise<boolean>;
}

interface Crypto {
  readonly subtle: SubtleCrypto;
  getRandomValues<T extends ArrayBufferView>(array: T): T;
  randomUUID(): `${string}-${string}-${string}-${string}-${string}`;
}
/** Random values from the attempt's seed: a replay gets the same. */
declare const crypto: Crypto;

interface Performance {
  readonly timeOrigin: number;
  now(): number;
}
declare const performance: Performance;

/** A durable timer. */
declare function setTimeout<T extends unknown[]>(callback: (...args: T) => unknown, ms?: number, ...args: T): number;
declare function clearTimeout(id?: number): void;
declare function setInterval<T extends unknown[]>(callback: (...args: T) => unknown, ms?: number, ...args: T): number;
declare function clearInterval(id?: number): void;
declare function queueMicrotask(callback: () => void): void;
declare function structuredClone<T>(value: T): T;
declare function atob(data: string): string;
declare function btoa(data: string): string;
