/** モバイル端末等の安全管理に関するチェックリスト, recorded with date and person. */

import { call, type Schemas } from "../../api";
import { attempt, toast } from "../../frame";
import { type Child, h } from "../../kit/dom";
import { moment } from "../../kit/era";
import { form } from "../../kit/parts";
import { loaded } from "./part";

export function checklist(): Child {
  return loaded("端末の安全管理チェックリスト", () => call<Schemas["Checklist"]>("GET", "/v1/checklist"), () => []);
}
