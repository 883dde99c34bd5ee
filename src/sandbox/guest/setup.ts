/** What this isolate was set up with, for `edge`. Frozen: one unit's requests share it. */
import type { GuestSetup } from '../protocol.ts'
import { freeze, parseJson } from './primordials.ts'

interface Setup {
  env: Readonly<Record<string, string>>
  node: GuestSetup['node']
  unit: { readonly name: string; readonly version: number }
  /** The unit's top level runs: there is no request yet. */
  isInstalling: boolean
  isTest: boolean
  hasRedis: boolean
}

export const setup: Setup = {
  env: {},
  node: { name: '', groups: [] },
  unit: { name: '', version: 0 },
  isInstalling: false,
  isTest: false,
  hasRedis: false,
}

/** Reads it; what remains is the entropy. */
export function readSetup(json: string): string {
  const value = parseJson(json) as GuestSetup
  setup.env = freeze(value.env)
  freeze(value.node.groups)
  setup.node = freeze(value.node)
  setup.unit = freeze({ name: value.name, version: value.version })
  setup.isTest = value.isTest === true
  setup.hasRedis = value.hasRedis === true
  return value.entropy
}
