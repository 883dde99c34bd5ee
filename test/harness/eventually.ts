/**
 * Waits until something holds, instead of sleeping for as long as it might take.
 *
 * `check` throws, or returns undefined or false, as long as it does not hold; what it returns in the end is handed on. The
 * deadline is generous: a loaded machine only makes a test slow, never red.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { withinMs = 120_000, everyMs = 10, what = 'it did not come to hold' } = {},
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    let failure: unknown
    try {
      const value = await check()
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>
    } catch (error) {
      failure = error
    }
    if (performance.now() > deadline) {
      throw failure ?? new Error(`${what} within ${withinMs} ms`)
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
