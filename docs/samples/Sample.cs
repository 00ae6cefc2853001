// 資格ブリッジの利用例（C#。.NET Framework 4.5以降、またはmono。追加のライブラリは使いません）。
//
//   csc /r:System.Web.Extensions.dll Sample.cs          （monoでは mcs -r:System.Web.Extensions.dll Sample.cs）
//   環境変数 SHIKAKU_API などはサンドボックスの --env が書き出します。
//
// ログイン（6桁のコードは自分で計算）→ 資格確認 → 一覧の取得 → 1件のダウンロード → 照会番号の登録。

using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using System.Web.Script.Serialization;

using Json = System.Collections.Generic.Dictionary<string, object>;

/// エラーの応答（RFC 9457）。Code で判断し、title と guidance を担当者に見せます。
class Problem : Exception
{
    public readonly string Code;

    public Problem(int status, Json problem)
        : base(status + " " + Text(problem, "code") + ": " + Text(problem, "title") + " " + Text(problem, "guidance"))
    {
        Code = Text(problem, "code");
    }

    public static string Text(Json json, string name)
    {
        object value;
        return json != null && json.TryGetValue(name, out value) ? Convert.ToString(value) : "";
    }
}

class Reply
{
    public int Status;
    public Json Body;
    public string ETag;
}

/// 1つのアカウントで資格ブリッジを使います。
class Bridge
{
    static readonly JavaScriptSerializer Serializer = new JavaScriptSerializer();
    string token;

    static string Env(string name)
    {
        return Environment.GetEnvironmentVariable("SHIKAKU_" + name);
    }

    /// RFC 6238 の6桁のコード（SHA-1、30秒）。
    static string Totp(string secret, DateTime utc)
    {
        var key = new List<byte>();
        int bits = 0, value = 0;
        foreach (char letter in secret.TrimEnd('='))
        {
            value = (value << 5 | "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".IndexOf(letter)) & 0xfff;
            bits += 5;
            if (bits >= 8) { bits -= 8; key.Add((byte)(value >> bits)); }
        }
        long step = (long)(utc - new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc)).TotalSeconds / 30;
        byte[] digest;
        using (var hmac = new HMACSHA1(key.ToArray())) digest = hmac.ComputeHash(BitConverter.GetBytes(step).Reverse().ToArray());
        int at = digest[19] & 15;
        int number = (digest[at] & 127) << 24 | digest[at + 1] << 16 | digest[at + 2] << 8 | digest[at + 3];
        return (number % 1000000).ToString("D6");
    }

    public void SignIn()
    {
        // コードは1回しか使えません。30秒以内の2回目は429（Retry-After付き）になるので、送るたびに計算し直します。
        token = (string)Call("POST", "/v1/sessions", () => new Json {
            { "institution_code", Env("INSTITUTION_CODE") },
            { "account", Env("ACCOUNT") },
            { "password", Env("PASSWORD") },
            { "code", Totp(Env("TOTP_SECRET"), DateTime.UtcNow) },
        }).Body["token"];
    }

    public Reply Call(string method, string path, Func<Json> body = null, string etag = null)
    {
        for (int attempt = 0; ; attempt++)
        {
            var request = (HttpWebRequest)WebRequest.Create(Env("API") + path);
            request.Method = method;
            request.Timeout = 90000;
            request.Proxy = null;
            request.ServicePoint.Expect100Continue = false;
            if (token != null) request.Headers["Authorization"] = "Bearer " + token;
            if (etag != null) request.Headers["If-None-Match"] = etag;
            if (body != null)
            {
                byte[] bytes = Encoding.UTF8.GetBytes(Serializer.Serialize(body()));
                request.ContentType = "application/json";
                using (var stream = request.GetRequestStream()) stream.Write(bytes, 0, bytes.Length);
            }
            HttpWebResponse response;
            try { response = (HttpWebResponse)request.GetResponse(); }
            catch (WebException error)
            {
                response = error.Response as HttpWebResponse;
                if (response == null) throw; // つながりません。
            }
            using (response)
            {
                int status = (int)response.StatusCode;
                string text;
                using (var reader = new StreamReader(response.GetResponseStream(), Encoding.UTF8)) text = reader.ReadToEnd();
                var json = text == "" ? null : Serializer.Deserialize<Json>(text);
                if (status < 300) return new Reply { Status = status, Body = json, ETag = response.Headers["ETag"] };
                if (status == 304) return new Reply { Status = status, ETag = etag };
                if ((status == 429 || status == 503) && attempt < 7)
                {
                    Thread.Sleep(1000 * int.Parse(response.Headers["Retry-After"] ?? "2"));
                }
                else if (status == 401 && Problem.Text(json, "code") == "session_required" && attempt < 7)
                {
                    // セッションは30分使わないと終わります。ログインし直して、同じ操作を繰り返します。
                    token = null;
                    SignIn();
                }
                else throw new Problem(status, json);
            }
        }
    }

    /// 資格確認を1件行い、終わった資格確認を返します。
    public Json MakeCheck(string pin)
    {
        var check = Call("POST", "/v1/checks", () => new Json { { "method", "card_pin" } }).Body;
        string path = "/v1/checks/" + check["id"];
        check = Call("PUT", path + "/pin", () => new Json { { "pin", pin } }).Body;
        while (!new[] { "done", "failed", "cancelled", "timed_out" }.Contains((string)check["phase"]))
        {
            if (new[] { "confirming_last_try", "offering_registration" }.Contains((string)check["phase"]))
            {
                // ここから先は、担当者が患者に確認して決めます。この例では中止します。
                return Call("DELETE", path).Body;
            }
            check = Call("GET", path + "?after_revision=" + check["revision"] + "&wait_seconds=10").Body;
        }
        return check;
    }
}

static class Sample
{
    static int Main()
    {
        Console.OutputEncoding = new UTF8Encoding(false);
        var bridge = new Bridge();
        bridge.SignIn();
        // 暗証番号は、実際には患者が入力します。保存も記録もしないでください。
        var check = bridge.MakeCheck(Environment.GetEnvironmentVariable("SHIKAKU_PIN") ?? "1234");
        if ((string)check["phase"] != "done")
        {
            var failure = check.ContainsKey("failure") ? (Json)check["failure"] : null;
            Console.Error.WriteLine("資格確認できませんでした: " + check["phase"] + " "
                + Problem.Text(failure, "title") + " " + Problem.Text(failure, "guidance"));
            return 1;
        }

        Console.WriteLine("件数: " + bridge.Call("GET", "/v1/results/count").Body["count"]);
        var page = bridge.Call("GET", "/v1/results?limit=50");
        foreach (Json each in (IEnumerable)page.Body["results"])
        {
            Console.WriteLine(each["id"] + " " + ((Json)each["validity"])["label"]);
        }
        // 変わっていなければ304です。本文はなく、監査ログにも残らず、ほとんど負荷になりません。
        if (page.ETag != null) Console.WriteLine("もう一度: " + bridge.Call("GET", "/v1/results?limit=50", null, page.ETag).Status);

        var result = bridge.Call("GET", "/v1/results/" + check["result_id"]).Body;
        Console.WriteLine(new JavaScriptSerializer().Serialize(result));

        string number = Environment.GetEnvironmentVariable("SHIKAKU_INQUIRY_NUMBER") ?? "CS-000123";
        var set = bridge.Call("PUT", "/v1/results/" + result["id"] + "/inquiry-number", () => new Json { { "inquiry_number", number } });
        var job = set.Body;
        while (set.Status == 202 && (string)job["state"] != "registered" && (string)job["state"] != "failed")
        {
            Thread.Sleep(1000); // オンライン資格確認等システムに届くまで。止まっている間は待ち行列に残ります。
            job = bridge.Call("GET", "/v1/inquiry-numbers/" + job["job"]).Body;
        }
        Console.WriteLine("照会番号: " + job["state"] + " " + number);
        bridge.Call("DELETE", "/v1/sessions/current");
        return 0;
    }
}
