/** `auto`: serves the zones whose files lie in a folder, as they come and go. */
import { statSync } from 'node:fs'
import { every, systemTimers } from '../../../base/timers.ts'
import type {
  CorefileLine,
  DnsController,
  DnsHandler,
  DnsNext,
  DnsPlugin,
  DnsQuery,
} from '../../../contract/dns.ts'
import { ZoneHandler } from '../../../zone/zone-handler.ts'
import { atMost, durationOf, unknownProperty } from '../line-words.ts'
import { ZoneFolder } from './zone-folder.ts'

const USUAL_RELOAD_MS = 60_000

interface AutoSettings {
  folder: string
  pattern: RegExp
  template: string
  reloadMs: number
}

export default {
  name: 'auto',
  setup(controller) {
    const handlers: ZoneHandler[] = []
    for (const line of controller.lines) {
      const settings = readBlock(controller, line)
      const handler = new ZoneHandler({ lookup: controller.lookup, within: controller.zonesOf(line.args) })
      const folder = new ZoneFolder({
        ...settings,
        handler,
        log: controller.log,
        onChange: (origin) => {
          for (const notify of controller.offers('notify')) notify(origin)
        },
      })
      handlers.push(handler)
      controller.offer('zones', handler)
      let callOff = (): void => {}
      controller.onStart(async () => {
        await folder.look()
        if (settings.reloadMs > 0) callOff = every(systemTimers, settings.reloadMs, () => void folder.look())
      })
      controller.onShutdown(() => {
        callOff()
        folder.stop()
      })
    }
    return handlers.length === 1 ? handlers[0]! : inTurn(handlers)
  },
} satisfies DnsPlugin

/** What one has no zone for, the next is asked for. */
function inTurn(handlers: readonly DnsHandler[]): DnsHandler {
  const handle = (index: number, query: DnsQuery, next: DnsNext): ReturnType<DnsHandler['handle']> =>
    index === handlers.length
      ? next(query)
      : handlers[index]!.handle(query, (further) => handle(index + 1, further, next))
  return { handle: (query, next) => handle(0, query, next) }
}

function readBlock(controller: DnsController, line: CorefileLine): AutoSettings {
  const settings: AutoSettings = {
    folder: '',
    pattern: /db\.(.*)/,
    template: '{1}',
    reloadMs: USUAL_RELOAD_MS,
  }
  for (const property of line.block ?? []) {
    switch (property.name.text) {
      case 'directory':
        readDirectory(controller, property, settings)
        break
      case 'reload':
        settings.reloadMs = durationOf(controller, property)
        break
      // What it meant once is what happens without it.
      case 'upstream':
        break
      default:
        unknownProperty(controller, property, ['directory', 'reload'])
    }
  }
  if (settings.folder === '')
    controller.fail(line, 'auto needs a directory: such as `directory /etc/orla/zones`')
  return settings
}

function readDirectory(controller: DnsController, line: CorefileLine, settings: AutoSettings): void {
  const [folder, pattern, template] = line.args
  if (!folder) return controller.fail(line, 'wrong argument count: directory needs the folder of zone files')
  atMost(controller, line, 3)
  settings.folder = controller.path(folder.text)
  const there = statSync(settings.folder, { throwIfNoEntry: false })
  if (!there) controller.log.warn(`directory does not exist: ${settings.folder}`)
  else if (!there.isDirectory()) controller.fail(folder, `${settings.folder} is no directory`)
  if (!pattern) return
  if (!template)
    return controller.fail(
      pattern,
      "wrong argument count: behind the pattern a template is needed, such as '{1}'",
    )
  try {
    settings.pattern = new RegExp(pattern.text)
    // One that matches always tells how many parts there are.
    if (new RegExp(`${pattern.text}|`).exec('')!.length === 1)
      controller.fail(
        pattern,
        'need at least one sub expression: the part in brackets is the name of the zone',
      )
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    controller.fail(pattern, error.message)
  }
  settings.template = template.text
}
