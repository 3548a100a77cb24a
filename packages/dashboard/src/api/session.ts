/**
 * Who uses the API: the operator's token, as long as this tab is open, and whether the control plane demands one.
 *
 * 1. The token is in `sessionStorage` and in the header `Authorization`; never in a path, a cookie or `localStorage`.
 */
import { Observable } from '../observable.ts';

const storageKey = 'mvm-ci operator token';

/** Whether requests are let in; `refused`: a token is demanded, or this one is wrong. */
export type Admission =
  | { readonly state: 'open' }
  /** `message` is the control plane's. */
  | { readonly state: 'refused'; readonly message: string };

/** The session of this tab. */
export const session = {
  admission: new Observable<Admission>({ state: 'open' }),

  /** What a request says of who sends it. */
  get headers(): Readonly<Record<string, string>> {
    const token = sessionStorage.getItem(storageKey);
    return token === null ? {} : { authorization: `Bearer ${token}` };
  },

  get hasToken(): boolean {
    return sessionStorage.getItem(storageKey) !== null;
  },

  /** Uses a token from now on; the next request shows whether it is the right one. */
  logIn(token: string): void {
    sessionStorage.setItem(storageKey, token);
    session.admission.set({ state: 'open' });
  },

  /** Forgets the token. */
  logOut(): void {
    sessionStorage.removeItem(storageKey);
    session.admission.set({ state: 'refused', message: 'You are logged out.' });
  },

  /** A request was refused for want of a token. */
  refuse(message: string): void {
    session.admission.set({ state: 'refused', message });
  },

  /** Ends when requests are let in. */
  async admitted(): Promise<void> {
    while (session.admission.value.state === 'refused') {
      await new Promise<void>((resolve) => {
        const end = session.admission.follow(() => {
          end();
          resolve();
        });
      });
    }
  },
} as const;
