/** What the supervisor makes for the workers of a node, so that they find what the others have in their caches. */

/** Words of their table: see `http/siblings/sibling-table.ts`. A megabyte, of which the kernel takes what is used. */
export const SIBLING_WORDS = 2 ** 18
