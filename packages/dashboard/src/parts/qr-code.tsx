import type { VNode } from 'preact';
import { encode } from 'uqr';

/** A text as a QR code. */
export const QrCode = ({ text, label }: { readonly text: string; readonly label: string }): VNode => {
  const { data, size } = encode(text, { border: 3 });
  const squares = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])));
  return (
    <svg class="qr" role="img" aria-label={label} viewBox={`0 0 ${size} ${size}`} shape-rendering="crispEdges">
      <path d={squares.join('')} fill="#000" />
    </svg>
  );
};
