/**
 * What there is to try in the demo: commands to paste, and what they show. The test of the demo runs each of them and
 * compares, so that what the terminal says is true.
 */
export interface Step {
  /** What it shows, for the person who reads. */
  readonly say: string
  /** One line for a POSIX shell, run in the project's folder. */
  readonly command: string
  /** What the output holds. */
  readonly expect: RegExp
}

export interface DemoPlaces {
  /** `http://127.0.0.1:8080`. */
  readonly edge: string
  /** The folder of the demo, from where the commands run. */
  readonly folder: string
}

const STATUS = `-s -o /dev/null -w '%{http_code}\\n'`

export const demoSteps = ({ edge, folder }: DemoPlaces): readonly Step[] => [
  {
    say: 'the origin is asked once, then the edge answers by itself (see Cache-Status and Age)',
    command: `curl -s -o /dev/null ${edge}/logo.svg; curl -si ${edge}/logo.svg`,
    expect: /^cache-status: .*; hit/im,
  },
  {
    say: 'a live playlist: this unit asks for a token below /hls/, and remembers it with a cookie',
    command: `bin/orla deploy units/token-auth.ts --paths '/hls/*' --env TOKEN=token`,
    expect: /^deployed token-auth \d+ live on 1\/1 workers in \d+ ms$/m,
  },
  {
    say: 'without the token',
    command: `curl ${STATUS} ${edge}/hls/colorbar.m3u8`,
    expect: /^403$/m,
  },
  {
    say: 'with it, and the cookie goes to a jar',
    command: `curl ${STATUS} -c ${folder}/jar '${edge}/hls/colorbar.m3u8?token=token'`,
    expect: /^200$/m,
  },
  {
    say: 'by the cookie alone',
    command: `curl ${STATUS} -b ${folder}/jar ${edge}/hls/colorbar.m3u8`,
    expect: /^200$/m,
  },
  {
    say: 'another token: the same code becomes a new version, live at once',
    command: `bin/orla env token-auth --env TOKEN=other; curl ${STATUS} '${edge}/hls/colorbar.m3u8?token=token'`,
    expect: /^deployed token-auth \d+ live on 1\/1 workers in \d+ ms\n403$/m,
  },
  {
    say: 'and back',
    command: `bin/orla rollback token-auth; curl ${STATUS} '${edge}/hls/colorbar.m3u8?token=token'`,
    expect: /^rolled back token-auth to \d+ live on 1\/1 workers in \d+ ms\n200$/m,
  },
  {
    say: 'a unit that loops for ever: it is stopped and named, and harms nobody else',
    command: `bin/orla deploy ${folder}/loop.ts; curl -si ${edge}/loop; curl ${STATUS} ${edge}/logo.svg`,
    expect: /^HTTP\/1\.1 503[^]*loop[^]*cpu[^]*^200$/m,
  },
  {
    say: 'all units, and what became of the one that loops',
    command: 'bin/orla units',
    expect: /^loop .*/m,
  },
]

/** Files that the commands use, by name in the demo's folder. */
export const DEMO_FILES: Readonly<Record<string, string>> = {
  'loop.ts': `import type { Unit } from 'orla'

/** Never answers. The edge stops it when its CPU time is used up. */
export default {
  paths: ['/loop'],
  content() {
    for (;;);
  },
} satisfies Unit
`,
}
