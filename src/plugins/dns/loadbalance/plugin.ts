/** `loadbalance`: the order of addresses in answers. */
import { parseGoDuration } from '../../../base/go-duration.ts'
import { type Cidr, CidrSet, parseCidr } from '../../../base/cidr.ts'
import { every, systemTimers } from '../../../base/timers.ts'
import type { CorefileLine, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import { atMost, onlyLine, unknownProperty } from '../line-words.ts'
import { LoadbalanceHandler } from './handler.ts'
import { WeightFile } from './weights.ts'

const USUAL_RELOAD_MS = 30_000

export default {
  name: 'loadbalance',
  setup(controller) {
    const line = onlyLine(controller)
    const [policy, path] = line.args
    const isWeighted = policy?.text === 'weighted'
    if (policy && !isWeighted && policy.text !== 'round_robin')
      controller.fail(policy, `unknown policy: ${policy.text}: expected round_robin or weighted`)
    if (isWeighted && !path)
      controller.fail(line, 'missing weight file argument: weighted needs a file of weights')
    atMost(controller, line, isWeighted ? 2 : 1)
    const { reloadMs, answersMax, preferred } = readBlock(controller, line, isWeighted)
    const handler = new LoadbalanceHandler({
      random: controller.host.random,
      answersMax,
      preferred: preferred.length > 0 ? new CidrSet(preferred) : undefined,
      isWeighted,
    })
    if (!isWeighted) return handler
    const file = new WeightFile(controller.path(path!.text))
    const read = () => {
      const weights = file.read()
      if (typeof weights === 'string') controller.log.error(`${weights}; what was read before holds`)
      else if (weights) handler.weights = weights
    }
    let callOff: (() => void) | undefined
    controller.onStart(() => {
      read()
      if (reloadMs > 0) callOff = every(systemTimers, reloadMs, read)
    })
    controller.onShutdown(() => callOff?.())
    return handler
  },
} satisfies DnsPlugin

function readBlock(controller: DnsController, { block = [] }: CorefileLine, isWeighted: boolean) {
  const known = isWeighted ? ['reload', 'limit_answers', 'prefer'] : ['limit_answers', 'prefer']
  const preferred: Cidr[] = []
  let reloadMs = USUAL_RELOAD_MS
  let answersMax: number | undefined
  for (const property of block) {
    const { name, args } = property
    if (!known.includes(name.text)) unknownProperty(controller, property, known)
    const [word] = args
    if (name.text === 'prefer') {
      if (!word) controller.fail(property, 'prefer needs networks, such as 10.0.0.0/8')
      for (const network of args)
        preferred.push(
          parseCidr(network.text) ??
            controller.fail(network, `invalid CIDR '${network.text}': expected one such as 10.0.0.0/8`),
        )
      continue
    }
    atMost(controller, property, 1)
    if (name.text === 'limit_answers') {
      if (!word || !/^[1-9]\d{0,5}$/.test(word.text))
        controller.fail(
          word ?? property,
          'limit_answers needs how many records an answer has at most: 1 or more',
        )
      answersMax = Number(word!.text)
      continue
    }
    if (!word) return controller.fail(property, 'reload duration value is missing: expected one such as 10s')
    const ms = parseGoDuration(word.text)
    if (ms === undefined || ms < 0)
      return controller.fail(word, `invalid reload duration '${word.text}': expected one such as 10s, or 0s`)
    reloadMs = ms
  }
  return { reloadMs, answersMax, preferred }
}
