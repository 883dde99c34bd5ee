/**
 * V8's garbage collector as a function, for the trusted isolate of this process alone.
 *
 * Strings that come out of an isolate are memory that the collector does not see growing: so it is called by hand.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** A function that collects what is young. */
export function minorCollector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void
  // Or every isolate made from now on would have it as a global.
  setFlagsFromString('--no-expose-gc')
  return () => collect({ type: 'minor' })
}
