/** `install`: makes the globals, runs the unit's top level, and reads its handlers and fields. Once in an isolate's life. */
import type { Guest } from '../protocol.ts'
import { PHASE_BITS, PHASES } from '../../contract/unit.ts'
import { seedRandom } from './crypto/random.ts'
import { errorParts } from './errors.ts'
import { describe } from './fields.ts'
import { getPrototypeOf, hasOwn, objectKeys, ObjectPrototype, stringifyJson } from './primordials.ts'
import { type Handler, handlers } from './run.ts'
import { readSetup, setup } from './setup.ts'
import { shareProgress } from './step.ts'
import { installTestGlobal } from './test-global.ts'

export const install: Guest['install'] = (define, json, shared) => {
  seedRandom(readSetup(json))
  if (shared !== undefined) shareProgress(new Int32Array(shared))
  if (setup.isTest) installTestGlobal()
  try {
    const module: { exports: object } = { exports: {} }
    setup.isInstalling = true
    define(module.exports, module)
    setup.isInstalling = false
    return readUnit(module.exports)
  } catch (error) {
    const { name, message, stack } = errorParts(error)
    return refused(`${name}: ${message}`, stack)
  }
}

const refused = (message: string, stack = ''): string =>
  `{"ok":false,"reason":"syntax","message":${stringifyJson(message)},"stack":${stringifyJson(stack)}}`

const NO_HANDLER = `the unit exports no handler (${PHASES.join(', ')} or fetch)`

/** Takes over the handlers of what the module exports. */
function readUnit(exports: object): string {
  const unit = (exports as { default?: unknown }).default ?? exports
  if ((typeof unit !== 'object' && typeof unit !== 'function') || unit === null) {
    return refused(`the default export is ${describe(unit)}; export an object with handlers`)
  }
  const found = unit as Record<string, unknown>
  let phases = 0
  for (let i = 0; i < PHASES.length; i++) {
    const name = PHASES[i]!
    const handler = found[name]
    if (handler === undefined) continue
    if (typeof handler !== 'function')
      return refused(`${name} is ${describe(handler)}; a handler is a function`)
    handlers[name] = handler as Handler
    phases |= PHASE_BITS[name]
  }
  if (typeof found.fetch === 'function') {
    if (handlers.content !== null)
      return refused('the unit has both content and fetch; they are the same phase')
    handlers.fetch = found.fetch as Handler
    phases |= PHASE_BITS.content
  }
  if (phases === 0) return refused(NO_HANDLER)
  handlers.self = unit
  return `{"ok":true,"phases":${phases},"fields":${fieldsJson(found)}}`
}

/** Fields of a manifest: all that a framework's app, which has methods of many names, can be asked for. */
const FIELDS = [
  'hosts',
  'paths',
  'methods',
  'nodes',
  'priority',
  'sample',
  'onError',
  'limits',
  'limit',
  'buffer',
  'chunks',
  'isolation',
  'kv',
  'every',
  'cron',
]

/** Everything that is no handler. What is no JSON is null, so that the manifest's check names it. */
function fieldsJson(unit: Record<string, unknown>): string {
  // `export default app` of Hono: an instance of a class, whose own fields are not the unit's.
  const isFramework = handlers.fetch !== null && getPrototypeOf(unit) !== ObjectPrototype
  const names = isFramework ? FIELDS : objectKeys(unit)
  let json = ''
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!
    if (name === 'fetch' || hasOwn(PHASE_BITS, name) || !hasOwn(unit, name)) continue
    const value = unit[name]
    if (value === undefined || (isFramework && typeof value === 'function')) continue
    json += `${json === '' ? '' : ','}${stringifyJson(name)}:${stringifyJson(value) ?? 'null'}`
  }
  return `{${json}}`
}
