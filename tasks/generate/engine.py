def open_engine(name, model_dir, *, resources, dtype, log, home, isolate=True):
    from tasks.stage import Child
    from tasks.sampling import Sampling, Completion
    class E:
        def __init__(s): s.c=Child.module("tasks.generate.tmp_engine:main",log=log); s.c.call({"dir":str(model_dir),"bs":resources.batch_size})
        def sample(s,prompts,requests,sampling,progress):
            r=s.c.call({"p":prompts,"r":requests,"s":vars(sampling)},on_progress=progress)
            return [Completion(*x) for x in r["c"]]
        def close(s): s.c.close()
    return E()
