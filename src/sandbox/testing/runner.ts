/**
 * A unit runner as a worker has it, with real sandboxes and the real guest, for tests and benches.
 */
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeBundles } from '../bundle-files.ts'
import { createUnitRunner, type UnitDispatcher, type UnitRunnerOptions } from '../unit-dispatcher.ts'
import { systemClock } from '../../base/clock.ts'
import { DEFAULT_LIMITS, DEFAULT_MANIFEST, PHASE_BITS } from '../../contract/unit.ts'
import type { Quarantine, TailLine } from '../../contract/messages.ts'
import type { Manifest, Phase, UnitLimits, UnitVersion } from '../../contract/unit.ts'
import type { Trip, TripOutcome, TripStep } from '../../contract/unit-runner.ts'

export interface TestRunner {
  readonly runner: UnitDispatcher
  readonly lines: TailLine[]
  readonly quarantined: Quarantine[]
  close(): Promise<void>
}

/** `change` may put other files in the place of the bundles, before anything runs. */
export async function startRunner(
  options: Partial<UnitRunnerOptions> = {},
  change: (paths: UnitRunnerOptions['bundles']) => void = () => {},
): Promise<TestRunner> {
  const { sandbox, guest } = await makeBundles()
  const folder = mkdtempSync(join(tmpdir(), 'orla-sandbox-'))
  const paths = { sandbox: join(folder, 'sandbox.mjs'), guest: join(folder, 'guest.js') }
  copyFileSync(sandbox, paths.sandbox)
  copyFileSync(guest, paths.guest)
  chmodSync(folder, 0o755)
  change(paths)
  const lines: TailLine[] = []
  const quarantined: Quarantine[] = []
  const runner = createUnitRunner({
    worker: 0,
    bundles: paths,
    sandboxMemory: 512 * 1024 * 1024,
    clock: systemClock,
    onQuarantine: (quarantine) => quarantined.push(quarantine),
    onLine: (line) => lines.push(line),
    ...options,
  })
  return {
    runner,
    lines,
    quarantined,
    async close() {
      await runner.close()
      rmSync(folder, { recursive: true })
    },
  }
}

let versions = 0

export interface TestUnit {
  readonly name?: string
  readonly limits?: Partial<UnitLimits>
  readonly manifest?: Partial<Manifest>
  readonly env?: Readonly<Record<string, string>>
}

/** A version whose module is `export default { … }` with these handlers as its text. */
export function unit(handlers: string, options: TestUnit = {}): UnitVersion {
  return moduleUnit(`module.exports = { default: { ${handlers} } }`, options)
}

/** A version of which the whole code is given. */
export function moduleUnit(code: string, options: TestUnit = {}): UnitVersion {
  return {
    name: options.name ?? `unit${++versions}`,
    version: ++versions,
    code,
    sourceMap: '',
    phases: 31,
    manifest: { ...DEFAULT_MANIFEST, limits: { ...DEFAULT_LIMITS, ...options.limits }, ...options.manifest },
    env: options.env ?? {},
  }
}

export const step = (of: UnitVersion, ...phases: Phase[]): TripStep => ({
  unit: of,
  phases: phases.reduce((bits, phase) => bits | PHASE_BITS[phase], 0),
})

export interface TripParts {
  readonly head?: string
  readonly edits?: string
  readonly body?: Trip['body']
  readonly response?: string
}

const META = '{"client":{"address":"127.0.0.1","port":50000},"scheme":"http"}'

export function go(
  runner: UnitDispatcher,
  steps: readonly TripStep[],
  parts: TripParts = {},
): Promise<TripOutcome> {
  return new Promise((done) => {
    const {
      head = 'GET /x?token=token HTTP/1.1\r\nhost: example.org\r\n',
      edits = '',
      body = '',
      response = '',
    } = parts
    runner.run({ steps, meta: META, head, response, edits, body, done })
  })
}
