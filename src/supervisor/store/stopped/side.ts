/** One side of a migration: a data directory, an engine, or what a configuration file says of either. */
import { resolve } from 'node:path'
import { systemClock } from '../../../base/clock.ts'
import { EdgeError } from '../../../base/errors.ts'
import { checkConfig } from '../../../config/check.ts'
import { loadConfig } from '../../../config/load.ts'
import type { StoreConfig } from '../../../config/schema.ts'
import { KV_BUCKETS, kvLog, UNITS_LOG } from '../../../contract/shared-log.ts'
import { type MovedLog, movedStore } from '../../../store/migration.ts'
import { openEngine } from '../../../store/engines/open-engine.ts'
import { openStore } from '../../../store/sqlite-store.ts'
import { withStore } from './directory.ts'

export interface Side {
  /** Without passwords. */
  readonly address: string
  /**
   * The logs that it may have. Key/value data of a data directory is no log of the kind: a control plane puts its own into an engine that has
   * none when it starts.
   */
  readonly names: readonly string[]
  /** The log of that name: `units`, or a bucket of key/value data. */
  log(name: string): MovedLog
}

/**
 * Does the work on what `spec` names: a URL (`redis://`, `rediss://`, `etcd+http://`, `etcd+https://`; several of one cluster with commas),
 * a configuration file (.ts or .json), or a data directory, which has to be there already unless it is `isTarget`.
 */
export async function withSide<T>(
  spec: string,
  { cwd, isTarget = false }: { readonly cwd: string; readonly isTarget?: boolean },
  work: (side: Side) => Promise<T>,
): Promise<T> {
  const config = await configOf(spec, cwd)
  if (config.kind === 'redis' || config.kind === 'etcd') {
    const engine = await openEngine(config)
    try {
      return await work({
        address: engine.address,
        names: [UNITS_LOG, ...Array.from({ length: KV_BUCKETS }, (_, bucket) => kvLog(bucket))],
        log: (name) => ({ log: engine.log(name), address: engine.address }),
      })
    } finally {
      await engine.close()
    }
  }
  const directory = resolve(cwd, config.path)
  // Makes it where there is none.
  if (isTarget) openStore(directory, { clock: systemClock }).close()
  return withStore(directory, (store) =>
    work({ address: directory, names: [UNITS_LOG], log: () => movedStore(store, directory) }),
  )
}

async function configOf(spec: string, cwd: string): Promise<StoreConfig> {
  if (/\.(?:ts|json)$/.test(spec)) return (await loadConfig(spec, cwd)).config.store
  const [, prefix = '', scheme = ''] = /^(etcd\+)?([a-z]+):\/\//.exec(spec) ?? []
  if (scheme === '') return checked({ kind: 'embedded', path: spec }, spec)
  const urls = spec.split(',').map((part) => memberUrl(part, scheme, spec))
  if (scheme === 'redis' || scheme === 'rediss')
    return checked({ kind: 'redis', url: urls.map(({ href }) => href) }, spec)
  if (prefix !== '') {
    const { username, password } = urls[0]!
    const credentials =
      username === ''
        ? {}
        : { username: decodeURIComponent(username), password: decodeURIComponent(password) }
    return checked({ kind: 'etcd', url: urls.map(({ origin }) => origin), ...credentials }, spec)
  }
  throw new EdgeError('request-invalid', `\`${scheme}://\` names no engine`, {
    hint: 'give a data directory, redis://, rediss://, etcd+http://, etcd+https://, or a configuration file',
  })
}

/** Members after the first may go without the scheme: `redis://A:1,B:2`. */
function memberUrl(part: string, scheme: string, spec: string): URL {
  const bare = part.replace(/^etcd\+/, '')
  const text = bare.includes('://') ? bare : `${scheme}://${bare}`
  if (URL.canParse(text)) return new URL(text)
  throw new EdgeError('request-invalid', `\`${part}\` in \`${withoutUser(spec)}\` is no address`, {
    hint: 'give members as HOST:PORT, with commas between',
  })
}

const withoutUser = (spec: string): string => spec.replaceAll(/\/\/[^@/,]*@/g, '//')

function checked(store: object, spec: string): StoreConfig {
  const result = checkConfig({ store })
  if (result.kind === 'config') return result.config.store
  const said = result.problems.map(({ path, message }) => `${path}: ${message}`).join('; ')
  throw new EdgeError('config-invalid', `${withoutUser(spec)}: ${said}`)
}
