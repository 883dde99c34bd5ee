/**
 * Modules of plugins from outside: files and packages that a Corefile names, loaded as they are (Node strips their types), and anew where a file of
 * theirs changed.
 *
 * Node keeps a module by its URL for good. So the URL of a plugin's module, and of what it imports, carries a mark; another mark is another module.
 * What was loaded before stays in memory: the price of a change without a restart.
 */
import { statSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Marks URLs: `file:///etc/dns/foo.ts?orla-plugin=3`. */
const MARK = 'orla-plugin'
/** What it is asked for by, as its parent is the Corefile and not a module. */
const FROM_COREFILE = 'orla-plugin-of-corefile:'

interface Loaded {
  readonly mark: number
  /** Its own files, with what they looked like. */
  readonly files: Map<string, string>
  readonly module: unknown
}

/** Of this process: modules are, too. By specifier and folder. */
const loadedModules = new Map<string, Loaded>()
let marks = 0
let isHooked = false
/** Files of what is being loaded now. */
let seen: Map<string, string> | undefined

/** `specifier` as an import in a file of `folder` would have it. Rejects with what the module throws, or is missing. */
export async function loadOutsideModule(specifier: string, folder: string): Promise<unknown> {
  hookResolution()
  const key = JSON.stringify([specifier, folder])
  const known = loadedModules.get(key)
  if (known && [...known.files].every(([file, look]) => lookOf(file) === look)) return known.module
  marks += 1
  const files = new Map<string, string>()
  seen = files
  try {
    const wanted = { specifier, parent: pathToFileURL(`${folder}/Corefile`).href, mark: marks }
    const module: unknown = await import(FROM_COREFILE + encodeURIComponent(JSON.stringify(wanted)))
    loadedModules.set(key, { mark: marks, files, module })
    return module
  } finally {
    seen = undefined
  }
}

function hookResolution(): void {
  if (isHooked) return
  isHooked = true
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === 'orla/dns')
        return { url: DNS_PLUGIN_URL, format: 'module-typescript', shortCircuit: true }
      if (specifier.startsWith(FROM_COREFILE)) {
        const wanted = JSON.parse(decodeURIComponent(specifier.slice(FROM_COREFILE.length))) as {
          readonly specifier: string
          readonly parent: string
          readonly mark: number
        }
        return marked(next(wanted.specifier, { ...context, parentURL: wanted.parent }), String(wanted.mark))
      }
      const mark = context.parentURL?.startsWith('file:') && new URL(context.parentURL).searchParams.get(MARK)
      return mark ? marked(next(specifier, context), mark) : next(specifier, context)
    },
  })
}

interface Found {
  readonly url: string
  readonly format?: string | null | undefined
}

/** Files of packages stay as they are: they do not change beside a Corefile. */
function marked<T extends Found>(found: T, mark: string): T {
  if (
    !found.url.startsWith('file:') ||
    found.url.startsWith(SOURCES_URL) ||
    found.url.includes('/node_modules/')
  )
    return found
  const file = fileURLToPath(found.url)
  seen?.set(file, lookOf(file))
  const url = `${found.url}?${MARK}=${mark}`
  // Without a package.json beside it, Node would try a file as CommonJS first, and warn.
  return file.endsWith('.ts') ? { ...found, url, format: 'module-typescript' } : { ...found, url }
}

const DNS_PLUGIN_URL = new URL('../dns-plugin.ts', import.meta.url).href
const SOURCES_URL = new URL('..', import.meta.url).href

function lookOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false, bigint: true })
  return stat ? `${stat.mtimeNs} ${stat.size} ${stat.ino}` : 'gone'
}

/** What was wrong and where in the author's files, without the frames of Node. */
export function loadFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const lines = (error.stack ?? error.message).split('\n')
  const own = lines.filter(
    (line) => !/^\s+at /.test(line) || (line.includes(MARK) && line.includes('file://')),
  )
  return own
    .join('\n')
    .replaceAll(new RegExp(`file://([^\\s)?]+)\\?${MARK}=\\d+`, 'g'), (_, path: string) => decodeURI(path))
}
