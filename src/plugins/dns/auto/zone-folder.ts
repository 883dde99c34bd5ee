/** The zones of a folder: which files are zones, and of what name, says a pattern. Files come, change and go. */
import { readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { DnsLog } from '../../../contract/dns.ts'
import { DnsName, DnsNameError } from '../../../wire/dns/name.ts'
import { FileZone } from '../../../zone/file-zone.ts'
import type { ZoneHandler } from '../../../zone/zone-handler.ts'

export interface ZoneFolderOptions {
  readonly folder: string
  readonly pattern: RegExp
  /** `{1}` or `${1}` is the first part in brackets of the pattern. */
  readonly template: string
  readonly handler: ZoneHandler
  readonly log: DnsLog
  onChange(origin: DnsName): void
}

export class ZoneFolder {
  readonly #options: ZoneFolderOptions
  /** By key of the name, also those that could not be read so far. */
  readonly #zones = new Map<string, FileZone>()
  #isLooking = false
  #isStopped = false
  /** What was said the last time: it is said once. */
  #said = new Set<string>()
  #saying = new Set<string>()

  constructor(options: ZoneFolderOptions) {
    this.#options = options
  }

  stop(): void {
    this.#isStopped = true
  }

  async look(): Promise<void> {
    if (this.#isLooking || this.#isStopped) return
    this.#isLooking = true
    try {
      const found = await this.#files()
      if (found) {
        this.#removeOthers(found)
        for (const [key, { origin, path }] of found) {
          if (this.#isStopped) return
          await this.#follow(key, origin, path)
        }
      }
      this.#said = this.#saying
      this.#saying = new Set()
    } finally {
      this.#isLooking = false
    }
  }

  async #follow(key: string, origin: DnsName, path: string): Promise<void> {
    const { handler, log, onChange } = this.#options
    let zone = this.#zones.get(key)
    if (!zone) {
      const made: FileZone = new FileZone({
        origin,
        path,
        log,
        onChange: () => {
          if (this.#isStopped || this.#zones.get(key) !== made) return
          handler.put(made)
          onChange(origin)
        },
      })
      zone = made
      this.#zones.set(key, zone)
    }
    zone.path = path
    await zone.look()
  }

  #removeOthers(found: ReadonlyMap<string, unknown>): void {
    for (const [key, zone] of this.#zones) {
      if (found.has(key)) continue
      this.#zones.delete(key)
      this.#options.handler.remove(zone.origin)
      this.#options.log.info(`${zone.origin.toString()} is served no more: ${zone.path} is gone`)
    }
  }

  /** Undefined where the folder cannot be read: then all zones stay. */
  async #files(): Promise<Map<string, { readonly origin: DnsName; readonly path: string }> | undefined> {
    const { folder, pattern, template } = this.#options
    const found = new Map<string, { readonly origin: DnsName; readonly path: string }>()
    try {
      // The folder may be a link, as Kubernetes mounts them.
      for (const { name, path } of await filesBelow(await realpath(folder))) {
        const match = pattern.exec(name)
        if (!match) continue
        const text = template.replaceAll(/\$?\{(\d+)\}/g, (_, number: string) => match[Number(number)] ?? '')
        const origin = this.#nameOf(text, path)
        if (!origin) continue
        const other = found.get(origin.key)
        if (other)
          this.#warnOnce(
            `${path} and ${other.path} are both for ${origin.toString()}: the second one is served`,
          )
        else found.set(origin.key, { origin, path })
      }
    } catch (error) {
      this.#warnOnce(`${folder} cannot be read: ${(error as Error).message}`)
      return undefined
    }
    return found
  }

  #nameOf(text: string, path: string): DnsName | undefined {
    try {
      return DnsName.parse(text.toLowerCase())
    } catch (error) {
      if (!(error instanceof DnsNameError)) throw error
      this.#warnOnce(`${path} is for no zone: ${error.message}`)
      return undefined
    }
  }

  #warnOnce(text: string): void {
    if (!this.#said.has(text)) this.#options.log.warn(text)
    this.#saying.add(text)
  }
}

/** In order, those of folders below as well. */
async function filesBelow(folder: string): Promise<{ readonly name: string; readonly path: string }[]> {
  const files: { name: string; path: string }[] = []
  const entries = await readdir(folder, { withFileTypes: true })
  for (const entry of entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) files.push(...(await filesBelow(path)))
    else files.push({ name: entry.name, path })
  }
  return files
}
