def main(wire):
    from tasks.wire import serve
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from tasks.decoding import decode
    from tasks.sampling import Sampling
    st={}
    def h(r,w):
        if "dir" in r:
            st["m"]=AutoModelForCausalLM.from_pretrained(r["dir"]).eval(); st["t"]=AutoTokenizer.from_pretrained(r["dir"]); st["bs"]=r["bs"]; return {}
        s=r["s"]; s["stop"]=tuple(s["stop"])
        return {"c":[[c.text,c.tokens,c.finish] for c in decode(st["m"],st["t"],r["p"],[tuple(x) for x in r["r"]],Sampling(**s),batch_size=st["bs"],progress=w.progress)]}
    serve(wire,h)
