/**
 * How much is awaited: handlers that have not answered, and work that goes on after an answer. While it is not zero, the
 * host enters once more after each step, and what continuations wrote meanwhile leaves.
 */
export const awaiting = { count: 0 }
