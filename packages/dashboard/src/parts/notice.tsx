/** What the page has to say beside what it shows. */
import type { ComponentChildren, VNode } from 'preact';

/** A failure, in the words of the control plane. */
export const ErrorNote = ({ message }: { readonly message: string | undefined }): VNode | null =>
  message === undefined ? null : (
    <p class="error-note" role="alert">
      {message}
    </p>
  );

/** That there is nothing to show, or not yet. */
export const Empty = ({
  isLoading,
  children,
}: {
  readonly isLoading: boolean;
  readonly children: ComponentChildren;
}): VNode => <p class="quiet empty">{isLoading ? 'Loading …' : children}</p>;
