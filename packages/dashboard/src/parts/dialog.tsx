/**
 * A question before something is done. The browser's own dialog keeps the focus, and Escape closes it.
 */
import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { messageOf } from '../api/request.ts';
import { jobFeed } from '../live/job-feed.ts';
import { ErrorNote } from './notice.tsx';

/** A button that asks first, and then does. */
export interface ActionProps {
  /** The button's word, and the dialog's verb. */
  readonly label: string;
  /** What will happen. */
  readonly question: string;
  /** Whether something is lost by it. */
  readonly isDestructive?: boolean;
  /** Fields of a form. */
  readonly children?: ComponentChildren;
  /** Does it with what the fields say. What it throws is shown, and the dialog stays. */
  readonly act: (fields: FormData) => Promise<unknown>;
  readonly disabled?: boolean;
}

/** See {@link ActionProps}. */
export const Action = (props: ActionProps): VNode => {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button
        type="button"
        class={props.isDestructive ? 'destructive' : undefined}
        disabled={props.disabled}
        onClick={() => setOpen(true)}
      >
        {props.label}
      </button>
      {isOpen && <Question {...props} close={() => setOpen(false)} />}
    </>
  );
};

const Question = ({
  label,
  question,
  isDestructive,
  children,
  act,
  close,
}: ActionProps & { readonly close: () => void }): VNode => {
  const dialog = useRef<HTMLDialogElement>(null);
  const [error, setError] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (!(event.target instanceof HTMLFormElement)) return;
    setBusy(true);
    try {
      await act(new FormData(event.target));
      jobFeed.touch();
      close();
    } catch (thrown) {
      setError(messageOf(thrown));
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} onClose={close} aria-label={label}>
      <form onSubmit={(event) => void submit(event)}>
        <p>{question}</p>
        {children}
        <ErrorNote message={error} />
        <div class="buttons">
          <button type="submit" class={isDestructive ? 'destructive' : 'primary'} disabled={isBusy}>
            {label}
          </button>
          <button type="button" onClick={close}>
            Back
          </button>
        </div>
      </form>
    </dialog>
  );
};

/** The text of a field; undefined when it is empty. */
export const fieldText = (fields: FormData, name: string): string | undefined => {
  const value = fields.get(name);
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
};
