/** Who sends a request: the operator (HTTP), or a peer whose node id its connection has proven (iroh). */
export type Caller = { readonly kind: 'operator' } | { readonly kind: 'peer'; readonly node: string };

/**
 * Who may use a route: everybody, also a peer that has not joined; peers that have joined, and operators; operators
 * alone.
 */
export type Access = 'anybody' | 'member' | 'operator';
