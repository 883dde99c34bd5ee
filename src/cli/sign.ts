/**
 * Signs a unit before it is sent: builds it as the node will, and reads its handlers and fields by running its top level here. It is the
 * author's own code on the author's machine; where the node builds something else, it refuses the signature.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { EdgeError } from '../base/errors.ts'
import { PHASE_BITS, PHASES } from '../contract/unit.ts'
import { parseManifest } from '../unit/manifest.ts'
import { signUnit } from '../unit/signature.ts'
import { UnitBuild } from './local-build.ts'
import type { ModuleFiles } from './module-files.ts'

/** Undefined where it does not build: the node says what is wrong. */
export async function signModule(
  keyFile: string,
  name: string,
  module: ModuleFiles,
  overrides: unknown,
): Promise<string | undefined> {
  const key = readKey(keyFile)
  const built = await new UnitBuild().run(name, module)
  if (!built.ok) return undefined
  const { phases, fields } = factsOf(name, built.code)
  const result = parseManifest(fields, overrides)
  return 'manifest' in result
    ? signUnit(key, name, { code: built.code, phases, manifest: result.manifest })
    : undefined
}

/** The key that `orla keys new` wrote into the file. */
export function readKey(path: string): KeyObject {
  let pem: string
  try {
    pem = readFileSync(path, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'there is no such file' : message
    throw new EdgeError('file-unreadable', `${path} cannot be read: ${reason}`, { cause: error })
  }
  try {
    return createPrivateKey(pem)
  } catch (error) {
    throw new EdgeError('file-unreadable', `${path} holds no private key in PEM`, {
      cause: error,
      hint: '`orla keys new FILE` makes one',
    })
  }
}

/** As `sandbox/guest/install.ts` reads them. */
function factsOf(name: string, code: string): { phases: number; fields: Record<string, unknown> } {
  const module: { exports: Record<string, unknown> } = { exports: {} }
  try {
    // eslint-disable-next-line no-new-func -- the author's own code, run where it was written
    new Function('exports', 'module', code)(module.exports, module)
  } catch (error) {
    throw new EdgeError(
      'unit-invalid',
      `${name} cannot be signed, its top level threw: ${(error as Error).message}`,
    )
  }
  const unit = (module.exports['default'] ?? module.exports) as Record<string, unknown>
  const isFramework = typeof unit['fetch'] === 'function' && Object.getPrototypeOf(unit) !== Object.prototype
  const handlers = PHASES.filter((phase) => typeof unit[phase] === 'function')
  const bits = handlers.reduce((sum, phase) => sum | PHASE_BITS[phase], 0)
  const phases = typeof unit['fetch'] === 'function' ? bits | PHASE_BITS.content : bits
  const known = new Set<string>([...PHASES, 'fetch'])
  const entries = Object.entries(unit).filter(([key, value]) => !known.has(key) && value !== undefined)
  const fields = isFramework ? [] : entries
  return { phases, fields: JSON.parse(JSON.stringify(Object.fromEntries(fields))) as Record<string, unknown> }
}
