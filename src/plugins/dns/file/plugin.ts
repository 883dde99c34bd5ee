/** `file`: serves zones from master files. */
import { access } from 'node:fs/promises'
import { every, systemTimers } from '../../../base/timers.ts'
import type { CorefileLine, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import type { DnsName } from '../../../wire/dns/name.ts'
import { FileZone } from '../../../zone/file-zone.ts'
import { ZoneHandler } from '../../../zone/zone-handler.ts'
import { durationOf, fallthroughOf, unknownProperty } from '../line-words.ts'

const USUAL_RELOAD_MS = 60_000

interface FileSettings {
  reloadMs: number
  isByTime: boolean
  readonly fallthrough: DnsName[]
}

export default {
  name: 'file',
  async setup(controller) {
    const fallthrough: DnsName[] = []
    const handler = new ZoneHandler({ lookup: controller.lookup, fallthrough })
    const stops: (() => void)[] = []
    let isStarted = false
    const tell = (origin: DnsName) => {
      if (isStarted) for (const notify of controller.offers('notify')) notify(origin)
    }
    for (const line of controller.lines) {
      const settings = readBlock(controller, line)
      fallthrough.push(...settings.fallthrough)
      for (const zone of await zonesIn(controller, line, settings, tell)) {
        handler.put(zone)
        if (settings.reloadMs > 0)
          controller.onStart(
            () => void stops.push(every(systemTimers, settings.reloadMs, () => void zone.look())),
          )
      }
    }
    controller.offer('zones', handler)
    controller.onStart(() => {
      isStarted = true
      for (const origin of handler.zones()) tell(origin)
    })
    controller.onShutdown(() => {
      isStarted = false
      for (const stop of stops) stop()
    })
    return handler
  },
} satisfies DnsPlugin

function readBlock(controller: DnsController, { block = [] }: CorefileLine): FileSettings {
  const settings: FileSettings = { reloadMs: USUAL_RELOAD_MS, isByTime: false, fallthrough: [] }
  for (const line of block) {
    switch (line.name.text) {
      case 'reload':
        settings.reloadMs = durationOf(controller, line)
        break
      case 'reload_by_mtime':
        settings.isByTime = true
        break
      case 'fallthrough':
        settings.fallthrough.push(...fallthroughOf(controller, line))
        break
      // What it meant once is what happens without it.
      case 'upstream':
        break
      default:
        unknownProperty(controller, line, ['reload', 'reload_by_mtime', 'fallthrough'])
    }
  }
  return settings
}

async function zonesIn(
  controller: DnsController,
  line: CorefileLine,
  { reloadMs, isByTime }: FileSettings,
  onChange: (origin: DnsName) => void,
): Promise<FileZone[]> {
  const [file, ...names] = line.args
  if (!file)
    return controller.fail(line, 'wrong argument count: expected the file of a zone, such as db.example.org')
  const path = controller.path(file.text)
  const trouble = await access(path).then(
    () => undefined,
    (error: Error) => error.message,
  )
  if (trouble !== undefined && reloadMs === 0) controller.fail(file, trouble)
  if (trouble !== undefined)
    controller.log.warn(`${path} cannot be read, and is looked for every ${reloadMs / 1000} s: ${trouble}`)
  const zones: FileZone[] = []
  for (const origin of controller.zonesOf(names)) {
    const zone = new FileZone({
      origin,
      path,
      isByTime,
      log: controller.log,
      onChange: () => onChange(origin),
    })
    if (trouble === undefined) await zone.load().catch((error: Error) => controller.fail(file, error.message))
    zones.push(zone)
  }
  return zones
}
