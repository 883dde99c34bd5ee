/** `log`: a line for each query. */
import { parseGoDuration } from '../../../base/go-duration.ts'
import type { CorefileLine, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import { atMost, unknownProperty } from '../line-words.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import { type AnswerClass, isAnswerClass, LogHandler, type LogRule } from './handler.ts'
import { LogFormat } from './format.ts'
import { LineBatch } from './line-batch.ts'

const COMMON =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}'
const COMBINED = `${COMMON} {>opcode}`

export default {
  name: 'log',
  setup(controller) {
    const rules = controller.lines.map((line) => ruleOf(controller, line))
    const sink = controller.host.out ?? {
      write: (text: string, done: () => void) => void process.stdout.write(text, () => done()),
    }
    const lines = new LineBatch(sink)
    controller.onShutdown(() => lines.flush())
    return new LogHandler(rules, lines, controller.host.steadyNow)
  },
} satisfies DnsPlugin

function ruleOf(controller: DnsController, line: CorefileLine): LogRule {
  const last = line.args.at(-1)
  const hasFormat = last?.text.includes('{') ?? false
  const names = hasFormat ? line.args.slice(0, -1) : line.args
  const text = hasFormat ? last!.text : COMMON
  const classes = new Set<AnswerClass>()
  let minDurationMs: number | undefined
  for (const property of line.block ?? []) {
    const { name, args } = property
    if (name.text === 'class') {
      if (args.length === 0)
        controller.fail(property, 'class needs one of success, denial, error and all, or several')
      for (const word of args) {
        if (!isAnswerClass(word.text))
          controller.fail(word, `invalid class: '${word.text}': expected success, denial, error or all`)
        classes.add(word.text as AnswerClass)
      }
    } else if (name.text === 'minDuration') {
      const [word] = args
      atMost(controller, property, 1)
      minDurationMs = word && parseGoDuration(word.text)
      if (minDurationMs === undefined || minDurationMs < 0)
        controller.fail(property, 'minDuration needs a time, such as 500ms')
    } else unknownProperty(controller, property, ['class', 'minDuration'])
  }
  // minDuration alone is for slow answers of any class, and for no others.
  if (classes.size === 0 && minDurationMs === undefined) classes.add('all')
  return {
    zones: names.length === 0 ? [DnsName.ROOT] : controller.zonesOf(names),
    format: new LogFormat(text.replaceAll('{common}', COMMON).replaceAll('{combined}', COMBINED)),
    classes,
    minDurationMs,
  }
}
