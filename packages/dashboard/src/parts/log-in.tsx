import type { VNode } from 'preact';
import { session } from '../api/session.ts';
import { fieldText } from './dialog.tsx';
import { ErrorNote } from './notice.tsx';

/** Asks for the operator's token. */
export const LogIn = ({ message }: { readonly message: string }): VNode => {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!(event.target instanceof HTMLFormElement)) return;
    const token = fieldText(new FormData(event.target), 'token');
    if (token !== undefined) session.logIn(token);
  };
  return (
    <main class="log-in">
      <h1>mvm-ci</h1>
      <form onSubmit={submit}>
        <label>
          Operator token
          <input name="token" type="password" autocomplete="current-password" required autofocus />
        </label>
        <button type="submit" class="primary">
          Log in
        </button>
        <ErrorNote message={message} />
        <p class="quiet">
          It is in the file <code>operator.token</code> of the control plane’s data folder, unless another was
          configured. This tab keeps it until it is closed.
        </p>
      </form>
    </main>
  );
};
