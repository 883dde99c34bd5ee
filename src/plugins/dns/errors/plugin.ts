/** `errors`: what went wrong with queries is logged. */
import { parseGoDuration } from '../../../base/go-duration.ts'
import { GoRegex, GoRegexError } from '../../../base/go-regex.ts'
import { systemTimers } from '../../../base/timers.ts'
import type { CorefileLine, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import { atMost, onlyLine, unknownProperty } from '../line-words.ts'
import { Consolidation, ErrorsHandler, LEVELS, type Level } from './handler.ts'

export default {
  name: 'errors',
  setup(controller) {
    const line = onlyLine(controller)
    const [to] = line.args
    if (to && to.text !== 'stdout')
      controller.fail(to, `invalid log file: ${to.text}: expected stdout, or nothing`)
    atMost(controller, line, 1)
    const consolidations: Consolidation[] = []
    for (const property of line.block ?? []) {
      const { text } = property.name
      if (text === 'stacktrace' || text === 'panicRecoveryStacktrace')
        controller.settings.hasStacktraces = true
      else if (text === 'consolidate') consolidations.push(consolidationOf(controller, property))
      else unknownProperty(controller, property, ['stacktrace', 'consolidate'])
    }
    controller.onShutdown(() => {
      for (const consolidation of consolidations) consolidation.flush()
    })
    return new ErrorsHandler(consolidations, controller.log)
  },
} satisfies DnsPlugin

function consolidationOf(controller: DnsController, line: CorefileLine): Consolidation {
  const [period, pattern, ...rest] = line.args
  if (!period || !pattern)
    return controller.fail(
      line,
      'consolidate needs a time and a regular expression, such as: consolidate 5m ".* timeout$"',
    )
  atMost(controller, line, 4)
  const everyMs = parseGoDuration(period.text)
  if (everyMs === undefined || everyMs <= 0)
    return controller.fail(period, `invalid duration '${period.text}': expected one such as 30s or 5m`)
  let level: Level = 'error'
  let showsFirst = false
  for (const word of rest) {
    if (word.text === 'show_first') showsFirst = true
    else if (Object.hasOwn(LEVELS, word.text)) level = word.text as Level
    else
      controller.fail(
        word,
        `unknown log level argument in consolidate: ${word.text}: expected warning, error, info, debug or show_first`,
      )
  }
  try {
    const options = {
      everyMs,
      period: period.text,
      pattern: GoRegex.compile(pattern.text),
      level,
      showsFirst,
    }
    return new Consolidation(options, controller.log, systemTimers)
  } catch (error) {
    if (error instanceof GoRegexError) return controller.fail(pattern, error.message)
    throw error
  }
}
