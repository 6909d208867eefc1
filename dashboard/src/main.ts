import { clock } from "./clock";
import "./decisions";
import "./elements/all";
import "./shell/app";
import { session } from "./session";
import { applyTheme } from "./shell/theme";

applyTheme();
void clock.set();
void session.begin();
