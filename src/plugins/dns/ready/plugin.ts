/** `ready`: says to whoever asks over HTTP when all plugins are ready. */
import type { DnsPlugin, DnsReadiness } from '../../../contract/dns.ts'
import {
  type HttpAddress,
  httpAddressOf,
  openHttpEndpoint,
  type OpenHttpEndpoint,
} from '../http-endpoints.ts'
import { atMost, onlyLine, unknownProperty } from '../line-words.ts'

const USUAL: HttpAddress = { host: undefined, port: 8181 }
const MONITORS = ['until-ready', 'continuously']

export default {
  name: 'ready',
  setup(controller) {
    const line = onlyLine(controller)
    atMost(controller, line, 1)
    const [word] = line.args
    const address = word ? httpAddressOf(controller, word) : USUAL
    let isContinuous = false
    for (const property of line.block ?? []) {
      if (property.name.text !== 'monitor') unknownProperty(controller, property, ['monitor'])
      atMost(controller, property, 1)
      const [how] = property.args
      if (!how || !MONITORS.includes(how.text))
        controller.fail(how ?? property, `monitor is one of ${MONITORS.join(' and ')}`)
      isContinuous = how!.text === 'continuously'
    }
    const wereReady = new Set<DnsReadiness>()
    const waitedFor = (): string[] => {
      const names: string[] = []
      for (const one of controller.readiness()) {
        if (wereReady.has(one)) continue
        if (!one.isReady()) names.push(one.plugin)
        else if (!isContinuous) wereReady.add(one)
      }
      return names
    }
    let isEnding = false
    let endpoint: OpenHttpEndpoint | undefined
    controller.onStart(async () => {
      if (controller.host.isFirst === false) return
      endpoint = await openHttpEndpoint(
        address,
        '/ready',
        () => {
          if (isEnding) return { status: 503, text: 'Shutting down' }
          const names = waitedFor()
          return names.length === 0
            ? { status: 200, text: 'OK' }
            : { status: 503, text: [...new Set(names)].toSorted().join(',') }
        },
        controller.host.isFirst,
      )
    })
    controller.onEnding(() => void (isEnding = true))
    controller.onShutdown(() => endpoint?.close())
  },
} satisfies DnsPlugin
