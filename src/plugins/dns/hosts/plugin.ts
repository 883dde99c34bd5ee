/** `hosts`: answers from a file such as /etc/hosts. */
import { systemTimers } from '../../../base/timers.ts'
import type { CorefileLine, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import { durationOf, fallthroughOf } from '../line-words.ts'
import { HostsHandler } from './handler.ts'
import { HostsFile } from './hosts-file.ts'
import { HostsTable } from './hosts-table.ts'

const USUAL_TTL_S = 3600
const TTL_MAX_S = 65_535
const USUAL_RELOAD_MS = 5000

interface HostsSettings {
  ttlS: number
  reloadMs: number
  hasReverse: boolean
  fallthrough: readonly DnsName[] | undefined
  fallsThroughUnsupported: boolean
  readonly inline: string[]
}

export default {
  name: 'hosts',
  setup(controller) {
    const [line, again] = controller.lines
    if (again) controller.fail(again, 'this plugin can only be used once per Server Block')
    const [file, ...zones] = line!.args
    const path = file ? controller.path(file.text) : '/etc/hosts'
    const settings = readBlock(controller, line!)
    const table = { origins: controller.zonesOf(zones), hasReverse: settings.hasReverse }
    const inline = new HostsTable(table).read(settings.inline.join('\n'))
    const handler = new HostsHandler({ ...settings, origins: table.origins, inline })
    const entries = controller.metrics.gauge(
      'coredns_hosts_entries',
      'The combined number of entries in hosts and Corefile.',
    )
    const readAt = controller.metrics.gauge(
      'coredns_hosts_reload_timestamp_seconds',
      'The timestamp of the last reload of hosts file.',
    )
    entries.set(inline.entries)
    const watched = new HostsFile({
      path,
      everyMs: settings.reloadMs,
      timers: systemTimers,
      table,
      onRead(read) {
        handler.file = read
        entries.set(read.entries + inline.entries)
        readAt.set(controller.host.now() / 1000)
        if (read.wrongLines.length > 0)
          controller.log.warn(
            `${path}: lines ${read.wrongLines.slice(0, 5).join(', ')}${read.wrongLines.length > 5 ? '…' : ''} are passed over: expected an address and names`,
          )
      },
      onTrouble: (reason) =>
        controller.log.warn(
          `${path} cannot be read${handler.file ? ': what was read before is served on' : ''}: ${reason}`,
        ),
    })
    controller.onStart(() => watched.start())
    controller.onShutdown(() => watched.stop())
    return handler
  },
} satisfies DnsPlugin

function readBlock(controller: DnsController, { block = [] }: CorefileLine): HostsSettings {
  const settings: HostsSettings = {
    ttlS: USUAL_TTL_S,
    reloadMs: USUAL_RELOAD_MS,
    hasReverse: true,
    fallthrough: undefined,
    fallsThroughUnsupported: false,
    inline: [],
  }
  let unsupported: CorefileLine | undefined
  for (const line of block) {
    const { name, args } = line
    if (name.text === 'fallthrough') settings.fallthrough = fallthroughOf(controller, line)
    else if (name.text === 'fallthrough_unsupported') unsupported = line
    else if (name.text === 'no_reverse') settings.hasReverse = false
    else if (name.text === 'ttl') settings.ttlS = ttlOf(controller, line)
    else if (name.text === 'reload') {
      if (args.length !== 1) controller.fail(line, 'reload needs a duration (zero seconds to disable)')
      settings.reloadMs = durationOf(controller, line)
    } else if (settings.fallthrough === undefined)
      settings.inline.push([name, ...args].map(({ text }) => text).join(' '))
    else
      controller.fail(line, `unknown property '${name.text}': entries of hosts stand in front of fallthrough`)
  }
  if (unsupported && !settings.fallthrough)
    controller.fail(unsupported, 'fallthrough_unsupported needs fallthrough beside it')
  settings.fallsThroughUnsupported = unsupported !== undefined
  return settings
}

function ttlOf(controller: DnsController, line: CorefileLine): number {
  const [word] = line.args
  if (!word) return controller.fail(line, 'ttl needs a time in second')
  if (!/^[+-]?\d+$/.test(word.text)) return controller.fail(word, 'ttl needs a number of second')
  const ttlS = Number(word.text)
  if (ttlS <= 0 || ttlS > TTL_MAX_S)
    return controller.fail(word, `ttl provided is invalid: expected 1 to ${TTL_MAX_S} seconds`)
  return ttlS
}
