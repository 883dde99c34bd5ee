export interface Patience {
  readonly withinMs?: number
  readonly everyMs?: number
  /** What did not come to hold. A function is asked at the end, where that tells more. */
  readonly what?: string | (() => string)
}

/**
 * Waits until something holds, instead of sleeping for as long as it might take.
 *
 * `check` throws, or returns undefined or false, as long as it does not hold; what it returns in the end is handed on. The
 * deadline is generous: a loaded machine only makes a test slow, never red.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { withinMs = 240_000, everyMs = 10, what = 'it did not come to hold' }: Patience = {},
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    let failure: unknown
    // Looked at before: who stood still while it checked has not seen yet what came to hold meanwhile.
    const isLast = performance.now() > deadline
    try {
      const value = await check()
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>
    } catch (error) {
      failure = error
    }
    if (isLast) {
      throw failure ?? new Error(`${typeof what === 'function' ? what() : what} within ${withinMs} ms`)
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
