/** Keeps nodes that are up. */
import { type Filter, without } from './filter.ts'

export const up: Filter = (candidates, { states, leniency }) =>
  without(candidates, ({ node }) => {
    const { state, isForced, why } = states[node]!
    if (leniency === 'any' || state === 'up') return undefined
    if (leniency === 'open') return isForced && state === 'down' ? why : undefined
    return state === 'drain' && leniency === 'drain' ? undefined : why
  })
