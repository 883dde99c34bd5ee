/**
 * Loads the configuration: from the file that was named, else from `orla.config.ts` or `orla.config.json` in the folder where
 * the command runs, else the defaults, which have no site.
 *
 * A file in TypeScript is imported by Node as it is. `orla` resolves in it wherever it lies, so that `defineConfig`
 * types it without an installation next to it.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { registerHooks } from 'node:module'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { EdgeError } from '../base/errors.ts'
import { checkConfig, type Problem } from './check.ts'
import { parseJson } from './json.ts'
import type { AccessLogConfig, Config, ConfigInput, SiteConfig, SourceConfig, StoreConfig } from './schema.ts'

export interface LoadedConfig {
  /** Checked, frozen, with paths made absolute. */
  readonly config: Config
  /** The file it came from, or `defaults`. */
  readonly source: string
  /** What stands there, as it was written. It was checked. */
  readonly input: ConfigInput
  /** Where paths in it count from. */
  readonly folder: string
}

const DEFAULT_FILES = ['orla.config.ts', 'orla.config.json']

/** `file` as given to `--config`; both it and the default files are looked for from `cwd`. */
export async function loadConfig(file: string | undefined, cwd: string): Promise<LoadedConfig> {
  const path = file === undefined ? findDefault(cwd) : resolve(cwd, file)
  if (path === undefined) return loaded({}, 'defaults', cwd)
  return loaded(await readConfigFile(path), path, dirname(path))
}

const loaded = (input: unknown, source: string, folder: string): LoadedConfig => ({
  config: checked(input, source, folder),
  source,
  input: input as ConfigInput,
  folder,
})

function findDefault(cwd: string): string | undefined {
  const [first, second] = DEFAULT_FILES.map((name) => join(cwd, name)).filter((path) => existsSync(path))
  if (second !== undefined) {
    throw new EdgeError(
      'config-invalid',
      `${cwd} holds both ${DEFAULT_FILES[0]} and ${DEFAULT_FILES[1]}: which one counts?`,
      { hint: 'remove one, or name one with --config' },
    )
  }
  return first
}

/** What a .ts or .json file holds, unchecked. Throws `EdgeError`. */
export async function readConfigFile(path: string): Promise<unknown> {
  const kind = extname(path)
  if (kind !== '.json' && kind !== '.ts') {
    throw new EdgeError('config-invalid', `${path} is neither a .ts nor a .json file`, {
      hint: 'rename it, or see `orla start --help`',
    })
  }
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new EdgeError('config-missing', `${path} cannot be read: ${readFailure(error)}`, { cause: error })
  })
  return kind === '.json' ? readJson(text, path) : importModule(path)
}

function readFailure(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return 'there is no such file'
  if (error.code === 'EISDIR') return 'it is a directory'
  if (error.code === 'EACCES') return 'permission denied'
  return error.message
}

function readJson(text: string, path: string): unknown {
  const result = parseJson(text)
  if (result.kind === 'value') return result.value
  const { line, column, message, excerpt } = result.fault
  throw new EdgeError('config-invalid', `${path}:${line}:${column}: ${message}\n${excerpt}`)
}

/** Modules are kept by their URL: the same file read again needs another one, and so does what it imports. */
let readings = 0

async function importModule(path: string): Promise<unknown> {
  const reading = `?reading=${++readings}`
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      if (specifier === 'orla') return { url: INDEX_URL, format: 'module-typescript', shortCircuit: true }
      const found = next(specifier, context)
      // Without a package.json beside it, Node would try a file as CommonJS first, and warn.
      if (!found.url.startsWith('file:') || !found.url.endsWith('.ts')) return found
      const isProgram = found.url.startsWith(SOURCES_URL)
      return { ...found, url: isProgram ? found.url : found.url + reading, format: 'module-typescript' }
    },
  })
  try {
    const module = (await import(pathToFileURL(path).href)) as { readonly default?: ConfigInput }
    if (module.default !== undefined) return module.default
  } catch (error) {
    throw new EdgeError('config-invalid', `${path} cannot be loaded: ${importFailure(error)}`, {
      cause: error,
    })
  } finally {
    hooks.deregister()
  }
  throw new EdgeError('config-invalid', `${path} exports no configuration`, {
    hint: 'write `export default defineConfig({ … })`',
  })
}

const INDEX_URL = new URL('../index.ts', import.meta.url).href
const SOURCES_URL = new URL('..', import.meta.url).href

/** What was wrong and where in the author's files, without the frames of Node. */
function importFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = (error.stack ?? '').split('\n').filter((line) => !/^\s+at /.test(line) || isAuthorsFrame(line))
  return own.join('\n').replaceAll(/file:\/\/[^\s)]+/g, (url) => plainPath(url))
}

const isAuthorsFrame = (frame: string): boolean => frame.includes('file://') && !frame.includes(SOURCES_URL)

function plainPath(url: string): string {
  const [, file = '', place = ''] = /^(.*?)((?::\d+)*)$/.exec(url) ?? []
  try {
    return fileURLToPath(file) + place
  } catch {
    return url
  }
}

function checked(input: unknown, source: string, folder: string): Config {
  const result = checkConfig(input)
  if (result.kind === 'config') return deepFreeze(withAbsolutePaths(result.config, folder))
  throw new EdgeError('config-invalid', problemsText(source, result.problems))
}

function problemsText(source: string, problems: readonly Problem[]): string {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
  const lines = problems.map(({ path, message }) => `  ${path === '' ? basename(source) : path}: ${message}`)
  return `${source} has ${count}:\n${lines.join('\n')}`
}

/** A path in a file means the same wherever the command was started: it counts from the file's folder. */
function withAbsolutePaths(config: Config, folder: string): Config {
  return {
    ...config,
    store: storeWithAbsolutePaths(config.store, folder),
    edge: {
      ...withAbsoluteTlsPaths(config.edge, folder),
      fetch: fetchWithAbsolutePaths(config.edge.fetch, folder),
      accessLog: withAbsoluteLogPaths(config.edge.accessLog, folder),
    },
    ...(config.dns && { dns: { ...config.dns, corefile: resolve(folder, config.dns.corefile) } }),
    geo: config.geo.asn === undefined ? config.geo : { asn: resolve(folder, config.geo.asn) },
    sites: config.sites.map((site) => siteWithAbsolutePaths(site, folder)),
    sources: config.sources.map((source) => sourceWithAbsolutePaths(source, folder)),
    telemetry: telemetryWithAbsolutePaths(config.telemetry, folder),
  }
}

function storeWithAbsolutePaths(store: StoreConfig, folder: string): StoreConfig {
  const path = resolve(folder, store.path)
  const inFolder = (file: string | undefined) => (file === undefined ? undefined : resolve(folder, file))
  switch (store.kind) {
    case 'embedded':
      return { ...store, path }
    case 'replica':
      return { ...store, path, ca: inFolder(store.ca), tokenFile: inFolder(store.tokenFile) }
    default: {
      const { ca, cert, key } = store.tls ?? {}
      const tls = store.tls && { ca: inFolder(ca), cert: inFolder(cert), key: inFolder(key) }
      return { ...store, path, tls }
    }
  }
}

function fetchWithAbsolutePaths(fetch: Config['edge']['fetch'], folder: string): Config['edge']['fetch'] {
  return fetch.ca === undefined ? fetch : { ...fetch, ca: resolve(folder, fetch.ca) }
}

function sourceWithAbsolutePaths(source: SourceConfig, folder: string): SourceConfig {
  const { tls } = source
  if (tls === undefined) return source
  const files = Object.entries(tls).flatMap(([key, path]) =>
    path === undefined ? [] : [[key, resolve(folder, path)]],
  )
  return { ...source, tls: Object.fromEntries(files) as typeof tls }
}

function telemetryWithAbsolutePaths(telemetry: Config['telemetry'], folder: string): Config['telemetry'] {
  const { otlp } = telemetry
  return otlp && otlp.ca ? { otlp: { ...otlp, ca: resolve(folder, otlp.ca) } } : telemetry
}

export function siteWithAbsolutePaths(site: SiteConfig, folder: string): SiteConfig {
  const { accessLog, origin, static: files } = site
  const ca = origin?.tls.ca
  return {
    ...site,
    ...(accessLog && { accessLog: withAbsoluteLogPaths(accessLog, folder) }),
    ...(ca && { origin: { ...origin!, tls: { ...origin!.tls, ca: resolve(folder, ca) } } }),
    ...(files && { static: { ...files, root: resolve(folder, files.root) } }),
  }
}

function withAbsoluteLogPaths(logs: readonly AccessLogConfig[], folder: string): AccessLogConfig[] {
  return logs.map((log) => ({ ...log, path: log.path === 'stdout' ? log.path : resolve(folder, log.path) }))
}

function withAbsoluteTlsPaths(edge: Config['edge'], folder: string): Config['edge'] {
  const { acme } = edge
  const listen = edge.listen.map((listener) => {
    const { tls } = listener
    if (tls === undefined) return listener
    const certificates = tls.certificates.map(({ cert, key }) => ({
      cert: resolve(folder, cert),
      key: resolve(folder, key),
    }))
    const { clientAuth } = tls
    const ca = clientAuth && { clientAuth: { ...clientAuth, ca: resolve(folder, clientAuth.ca) } }
    return { ...listener, tls: { ...tls, certificates, ...ca } }
  })
  return { ...edge, listen, ...(acme?.ca && { acme: { ...acme, ca: resolve(folder, acme.ca) } }) }
}

/** A checked configuration is passed around by reference: nobody may change it. */
function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const inner of Object.values(value)) deepFreeze(inner)
    Object.freeze(value)
  }
  return value
}
