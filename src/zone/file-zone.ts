/**
 * A zone that follows its file: another one takes its place when the file has one with another serial. Whatever goes wrong, what was there is served on.
 */
import { stat } from 'node:fs/promises'
import { DnsName } from '../wire/dns/name.ts'
import { isNewer } from './serial.ts'
import { Zone } from './zone.ts'
import type { ServedZone } from './zone-handler.ts'
import { loadZoneFile } from './zone-loader.ts'

export interface FileZoneOptions {
  readonly origin: DnsName
  readonly path: string
  /** The file is taken when its time is another one, whatever its serial. */
  readonly isByTime?: boolean
  readonly log: { info(text: string): void; warn(text: string): void; error(text: string): void }
  /** Another zone took the place of the former one, or of none. */
  onChange(zone: Zone): void
}

export class FileZone implements ServedZone {
  readonly origin: DnsName
  readonly absence = 'its file could not be read so far'
  /** It may have moved within its folder. */
  path: string
  readonly #options: FileZoneOptions
  #zone: Zone | undefined
  /** What its file had read besides, when it was read well. */
  #included: readonly string[] = []
  /** The files as they were when it was read last, well or badly. */
  #seen = ''
  #trouble = ''
  #isLooking = false

  constructor(options: FileZoneOptions) {
    this.#options = options
    this.origin = options.origin
    this.path = options.path
  }

  get zone(): Zone | undefined {
    return this.#zone
  }

  /** Reads it for the first time. Rejects with what is wrong. */
  async load(): Promise<void> {
    this.#seen = await this.#read()
  }

  /** Reads it where the file has changed; says in the log what goes wrong, once. */
  async look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      const now = await stampOf(this.path, this.#included)
      if (now.stamp === this.#seen) return this.#say('')
      // Also where it cannot be read: it is read again when it is another one.
      this.#seen = now.stamp
      this.#seen = await this.#read()
      this.#say('')
    } catch (error) {
      this.#say(error instanceof Error ? error.message : String(error))
    } finally {
      this.#isLooking = false
    }
  }

  /** Returns the file as it was. Another one, if it was written to meanwhile: half of it may have been read. */
  async #read(): Promise<string> {
    const before = await stampOf(this.path, this.#included)
    const knownSerial = this.#options.isByTime === true ? undefined : this.#zone?.serial
    const request = { path: this.path, origin: this.origin.wire, knownSerial }
    const result = await loadZoneFile(request, before.bytes)
    const after = await stampOf(this.path, this.#included)
    if (after.stamp !== before.stamp && this.#zone) return ''
    if (result.kind === 'zone') this.#included = result.included
    if (result.kind === 'zone') this.#use(new Zone(result.data))
    else
      this.#options.log.warn(
        `${this.path} changed, and its serial is still ${knownSerial}: it is taken once that is another one`,
      )
    return (await stampOf(this.path, this.#included)).stamp
  }

  #use(zone: Zone): void {
    const { log, onChange } = this.#options
    const former = this.#zone?.serial
    this.#zone = zone
    const shown = `${this.origin.toString()} in ${this.path}`
    for (const warning of zone.warnings) log.warn(`${shown}: ${warning}`)
    if (former !== undefined && former !== zone.serial && !isNewer(zone.serial, former))
      log.warn(
        `${shown}: the serial went back from ${former} to ${zone.serial}: secondaries take it for older than what they have`,
      )
    log.info(`${shown} has serial ${zone.serial} and ${zone.records} records`)
    onChange(zone)
  }

  #say(trouble: string): void {
    if (trouble !== '' && trouble !== this.#trouble)
      this.#options.log.error(
        `${this.origin.toString()}: ${trouble}${this.#zone ? `; serial ${this.#zone.serial} is served on` : ''}`,
      )
    this.#trouble = trouble
  }
}

async function stampOf(
  path: string,
  included: readonly string[],
): Promise<{ readonly stamp: string; readonly bytes: number }> {
  const { mtimeMs, size, ino } = await stat(path)
  let stamp = `${mtimeMs} ${size} ${ino}`
  let bytes = size
  for (const file of included) {
    const more = await stat(file).catch(() => undefined)
    stamp += more ? ` ${more.mtimeMs} ${more.size} ${more.ino}` : ' gone'
    bytes += more?.size ?? 0
  }
  return { stamp, bytes }
}
