/**
 * The source of a guest that breaks the rules. `step` is what it does with a batch, as the body of a function: it sees `batch`; `invoke`,
 * which is null where the batch begins with something else than an invocation; `id` and `phase` of the last one; and `mode`, which
 * the unit's `env` names.
 */
export const hostileGuest = (step: string): string => `(() => {
  let mode, id, phase
  return {
    install(define, setup) {
      mode = JSON.parse(setup).env.MODE
      return JSON.stringify({ ok: true, phases: 31, fields: {} })
    },
    step(...pieces) {
      const batch = typeof pieces[0] === 'string' ? pieces.join('') : pieces[0][0]
      const invoke = /^1 (\\d+) (\\d+) /.exec(batch)
      if (invoke !== null) {
        id = Number(invoke[1])
        phase = invoke[2]
      }
      ${step}
    },
  }
})()`
