#include <array>

#include "report_parts.hpp"

namespace consilium::portal {

namespace {

struct Token {
  std::string_view name;
  std::string_view light;
  std::string_view dark;
};

/// The only colours of the page; shared/screens/README.md §1 gives their use and contrast.
constexpr std::array tokens{
    Token{"bg", "#f3f5f6", "#0f151a"},          Token{"panel", "#ffffff", "#161e25"},
    Token{"sunken", "#ecf0f2", "#1e2830"},      Token{"line", "#d6dde2", "#2b3741"},
    Token{"line-strong", "#7a8691", "#74838f"}, Token{"ink", "#15202b", "#e8eef3"},
    Token{"ink-2", "#43505c", "#b9c4cd"},       Token{"ink-3", "#596672", "#98a5b0"},
    Token{"accent", "#16599c", "#82bbf3"},      Token{"on-accent", "#ffffff", "#0d1b28"},
    Token{"accent-soft", "#e4eef8", "#1a3146"}, Token{"match", "#0a6b5d", "#62cbb6"},
    Token{"match-soft", "#e0f1ee", "#14332e"},  Token{"contra", "#9c430a", "#f2a566"},
    Token{"contra-soft", "#fbeade", "#3a2616"}, Token{"warn", "#735000", "#f0c860"},
    Token{"warn-soft", "#fdf2d0", "#352b10"},   Token{"warn-line", "#b07d0c", "#a8842c"},
    Token{"crit", "#b01e1e", "#ff958d"},        Token{"crit-soft", "#fbe8e7", "#3e1c1b"},
    Token{"bar", "#3d6a94", "#719fcb"},         Token{"bar-out", "#768899", "#738594"},
    Token{"focus", "#0b57a4", "#8fc6ff"}};

enum class Theme { light, dark, both };

auto token_table(Theme theme) -> std::string {
  std::string out;
  for (const Token& token : tokens) {
    out += "--" + std::string(token.name) + ":";
    if (theme == Theme::light) out += token.light;
    if (theme == Theme::dark) out += token.dark;
    if (theme == Theme::both) {
      out += "light-dark(" + std::string(token.light) + "," + std::string(token.dark) + ")";
    }
    out += ";";
  }
  return out;
}

constexpr std::string_view rules = R"css(
:root{--f:Inter,"Segoe UI",system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;--mono:ui-monospace,"SF Mono",Consolas,"DejaVu Sans Mono",monospace}
*{box-sizing:border-box}
html{background:var(--bg)}
body{margin:0;font:14px/20px var(--f);color:var(--ink);background:var(--bg);font-variant-numeric:tabular-nums;-webkit-text-size-adjust:100%;text-size-adjust:100%}
h1,h2,h3,p,ul,dl,dd,figure{margin:0;padding:0}
ul{list-style:none}
h1{font:600 26px/32px var(--f);letter-spacing:-.01em}
h2{font:600 17px/24px var(--f)}
h3{font:600 13px/18px var(--f)}
.s{font-size:13px;line-height:18px}
.xs{font-size:12px;line-height:16px}
.mut{color:var(--ink-2)}
.mut3{color:var(--ink-3)}
.num{text-align:right}
.mono{font-family:var(--mono);font-size:12px}
.nw{white-space:nowrap}
.bad{color:var(--crit)}
b,.b{font-weight:600}
.gap{margin-top:8px}
.vh{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.i{width:16px;height:16px;flex:none;vertical-align:-3px;fill:none;stroke:currentColor;stroke-width:1.75;stroke-linecap:round;stroke-linejoin:round}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px;border-radius:4px}
.sheet{max-width:1120px;margin:0 auto;padding:24px 32px 40px;background:var(--panel);border-inline:1px solid var(--line);min-height:100vh}
.rh{display:flex;gap:16px;align-items:flex-start;padding-bottom:12px;border-bottom:2px solid var(--ink)}
.rh>div{flex:1;min-width:0}
.logo{flex:none;margin-top:5px;fill:none;stroke:var(--accent);stroke-width:2}
.seg{display:inline-flex;flex:none;margin:0;padding:0;border:1px solid var(--line-strong);border-radius:4px;overflow:hidden;background:var(--panel)}
.seg:focus-within{outline:3px solid var(--focus);outline-offset:2px}
.seg label{font-size:13px;line-height:18px;padding:4px 10px;min-height:26px;color:var(--ink-2);border-left:1px solid var(--line-strong);cursor:pointer}
.seg legend+label{border-left:0}
.seg input{position:absolute;opacity:0}
.seg label:has(:checked){background:var(--accent-soft);color:var(--ink);font-weight:600;box-shadow:inset 0 -2px 0 var(--accent)}
@supports not selector(:has(a)){.seg{display:none}}
.note{display:flex;gap:8px;padding:8px 10px;margin-top:12px;border-radius:4px;border-left:3px solid var(--warn-line);background:var(--warn-soft);font-size:13px;line-height:18px}
.note>.i{color:var(--warn);margin-top:1px}
.note li+li{margin-top:4px}
.facts{display:grid;grid-template-columns:repeat(4,1fr);border-bottom:1px solid var(--line)}
.facts div{padding:12px 16px 12px 0;min-width:0}
.facts div+div{padding-left:16px;border-left:1px solid var(--line)}
.facts dt{font-size:12px;line-height:16px;color:var(--ink-2)}
.facts dd{font:600 20px/26px var(--f)}
.facts small{font:400 12px/16px var(--f);color:var(--ink-2);display:block}
section{padding-top:24px}
section>p.s{max-width:76ch;margin:2px 0 10px}
.lg2{display:flex;gap:4px 16px;flex-wrap:wrap;font-size:12px;line-height:16px;color:var(--ink-2);margin-bottom:6px}
.lg2 svg{vertical-align:-2px}
.ox{position:relative;overflow-x:auto;min-width:0}
table{border-collapse:collapse;width:100%}
th{font:500 12px/16px var(--f);color:var(--ink-2);text-align:left}
.tb td,.tb th{padding:6px 8px;font-size:13px;line-height:18px;border-bottom:1px solid var(--line);vertical-align:middle}
.tb thead th{font-size:12px;line-height:16px;vertical-align:bottom}
.tb thead tr:last-child th,.tb thead th[rowspan]{border-bottom:1px solid var(--ink)}
.tb tbody th{font:600 13px/18px var(--f);color:var(--ink)}
.tb tbody th small{display:block;font:400 12px/16px var(--f);color:var(--ink-2);white-space:nowrap}
.tb td{white-space:nowrap}
.tb .sum>*{border-top:1px solid var(--ink);border-bottom:0;font-weight:600}
.tb .sum+.sum>*{border-top:1px solid var(--line)}
.tb .sum .mut{font-weight:400}
.tb .g{border-left:1px solid var(--line)}
.tb .num,.ans .num{text-align:right}
.tb .ours>*{font-weight:600}
.tb .dr{width:216px;padding-inline:4px}
.tb .dr svg{display:block}
.why{margin-top:6px}
.f4{display:grid;grid-template-columns:repeat(4,1fr);gap:8px 16px}
.f4 figure{min-width:0}
.f4 svg,.time svg{display:block;width:100%;height:auto}
.two{display:grid;grid-template-columns:1fr 1fr;gap:24px}
.two.pt{grid-template-columns:minmax(220px,2fr) 5fr;margin-top:8px}
.two>*{min-width:0}
.two h2{margin-bottom:6px}
.chk li{display:grid;grid-template-columns:20px 1fr;gap:8px;padding:5px 0;border-top:1px solid var(--line);font-size:13px;line-height:18px}
.chk li:first-child{border-top:0}
.chk .i{margin-top:1px}
.chk .tick,.ans .tick{color:var(--match)}
.chk .cross{color:var(--crit)}
.cmd{display:block;background:var(--sunken);border:1px solid var(--line);border-radius:4px;padding:8px 10px;line-height:18px;white-space:pre-wrap;overflow-wrap:anywhere}
.ans td,.ans th{font-size:13px;line-height:18px;padding:4px 6px;border-bottom:1px solid var(--line);vertical-align:top}
.ans thead th{border-bottom:1px solid var(--ink);color:var(--ink);vertical-align:bottom}
.ans tbody th{color:var(--ink-2);font-weight:400}
.ans .me{background:var(--accent-soft);font-weight:600}
.ans .me .mut3{font-weight:400}
.ans .n{background:var(--contra-soft)}
.ans .n .cross{color:var(--contra)}
.ans .i{width:14px;height:14px;vertical-align:-2px;margin-right:4px}
.dis{margin-bottom:8px}
.dis p{display:flex;justify-content:space-between;gap:8px;font:600 13px/18px var(--f)}
.dis svg{display:block;width:100%;height:20px}
details{margin-top:8px}
summary{font-size:12px;line-height:24px;color:var(--accent);cursor:pointer;width:fit-content}
details .tb{width:auto}
details .tb td,details .tb th{padding:3px 8px}
svg text{font-family:var(--f);font-size:12px;fill:var(--ink-2)}
svg .k{fill:var(--ink)}
svg .kb{fill:var(--ink);font-weight:600}
.c-line{stroke:var(--line);fill:none}
.c-axis{stroke:var(--line-strong);fill:none}
.c-alone{stroke:var(--ink-3);stroke-width:1.5;stroke-dasharray:4 3;fill:none}
.c-pooled{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:1.5 2.5;fill:none}
.c-together{stroke:var(--accent);stroke-width:2;fill:none;stroke-linejoin:round}
.c-refused{stroke:var(--crit);stroke-width:2;fill:none}
.c-drop{stroke:var(--crit);stroke-dasharray:2 2;fill:none}
.c-tick{stroke:var(--ink);stroke-width:2;fill:none}
.c-hollow{stroke:var(--ink-2);stroke-width:1.8;fill:var(--panel)}
.c-full{fill:var(--accent)}
.c-dot{fill:var(--ink-2)}
.c-span{fill:var(--sunken);stroke:var(--line-strong)}
.c-round{fill:var(--accent-soft);stroke:var(--accent)}
.c-round-x{fill:none;stroke:var(--crit);stroke-dasharray:3 2}
.c-paid{fill:var(--match)}
.c-bar{fill:var(--bar)}
.c-out{fill:none;stroke:var(--bar-out);stroke-dasharray:3 2}
.c-share{stroke:var(--ink-2);stroke-width:1.5;fill:none}
.c-mark{fill:var(--ink)}
@media (forced-colors:active){.seg,.cmd{border:1px solid ButtonText}.note{border-left-color:Mark}}
@media screen and (max-width:800px){.facts,.f4{grid-template-columns:1fr 1fr}.facts div:nth-child(odd){padding-left:0;border-left:0}.two,.two.pt{grid-template-columns:1fr}.sheet{padding-inline:16px}.rh{flex-wrap:wrap}.time svg{min-width:860px}.tb{min-width:980px}.tb.narrow{min-width:0}.ans{min-width:660px}}
@media screen and (max-width:520px){.f4{grid-template-columns:1fr}h1{font-size:20px;line-height:26px}.rh>div{flex-basis:calc(100% - 40px)}.f4 svg{max-width:320px}}
@page{size:A4;margin:14mm 12mm}
@media print{html,body{background:var(--panel)}.noprint,details{display:none}.sheet{border:0;padding:0;max-width:none;min-height:0;zoom:.8}section{padding-top:18px;break-inside:avoid}.pb2{break-before:page}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}.f4{grid-template-columns:repeat(2,1fr);gap:4px 24px}.f4 svg{height:150px;width:auto}.ox{overflow:visible}}
)css";

}  // namespace

auto style_sheet() -> std::string {
  const std::string both = token_table(Theme::both);
  const std::string light = token_table(Theme::light);
  const std::string dark = token_table(Theme::dark);
  // One set for browsers with light-dark(), two plain ones for those without; paper is always
  // light.
  return "@supports (color:light-dark(currentcolor,currentcolor)){"
         ":root{color-scheme:light dark;" +
         both +
         "}"
         ":root:has(#th-l:checked){color-scheme:light}"
         ":root:has(#th-d:checked){color-scheme:dark}"
         "@media print{:root{color-scheme:light!important}}}"
         "@supports not (color:light-dark(currentcolor,currentcolor)){"
         ":root{color-scheme:light;" +
         light +
         "}"
         "@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;" +
         dark +
         "}}"
         "@media screen{:root:has(#th-l:checked){color-scheme:light;" +
         light +
         "}"
         ":root:has(#th-d:checked){color-scheme:dark;" +
         dark + "}}}" + std::string(rules);
}

}  // namespace consilium::portal
